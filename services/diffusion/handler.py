"""The diffusion model as a Hugging Face Endpoint custom handler: contexts become latents."""

from typing import Any

from triptych.denoise import Denoiser
from triptych.engine import Ticket
from triptych.fields import Fields
from triptych.info import describe_denoising_stage
from triptych.requests import DenoiseSettings, read_tensors
from triptych.stage import DenoisingHandler
from triptych.variants import chosen_variant
from triptych.weights import Report, unreported


class EndpointHandler(DenoisingHandler):
    """`{"inputs": [context, unconditional context], "batch_size", "num_steps", …}` to a base64 latent.

    The latent is float32 (batch, height / 8, width / 8, 4). Extras: `seed`, `sampler`, `schedule`, `height`,
    `width`; `guidance_start` and `guidance_end`, the part of the steps that is guided; `strength`, with which
    `inputs` has a third tensor, a latent as the answer's, of which so much is made anew; `client`, for turns
    that are fair; `resume`, the states to go on from.
    """

    def __init__(self, path: str = "", report: Report = unreported) -> None:
        self.variant = chosen_variant(report)
        self.denoiser = Denoiser(self.variant, report)

    def start(self, data: dict[str, Any]) -> Ticket:
        fields = Fields(data)
        settings = DenoiseSettings.read(fields, self.variant)
        more = ("latent",) if fields.has("strength") else ()
        contexts, unconditional, *image = read_tensors(fields, self.variant, settings, more)
        return self.denoiser.start(contexts, unconditional, settings, image=image[0] if image else None)

    def info(self) -> dict[str, Any]:
        shapes = self.variant.shapes("context", "unconditional_context", "latent")
        return describe_denoising_stage("diffusion", self.variant, shapes, ["strength"])
