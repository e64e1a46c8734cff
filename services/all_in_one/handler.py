"""All of Stable Diffusion as one Hugging Face Endpoint custom handler: a prompt becomes images."""

from typing import Any

from triptych.decode import LatentDecoder
from triptych.denoise import Denoiser
from triptych.encode import PromptEncoder
from triptych.engine import Ticket
from triptych.fields import Fields
from triptych.info import describe_denoising_stage
from triptych.requests import DenoiseSettings
from triptych.stage import DenoisingHandler
from triptych.variants import chosen_variant
from triptych.weights import Report, unreported
from triptych.wire import Tensors

EXTRAS = ["negative_prompt", "num_steps", "unconditional_guidance_scale"]


class EndpointHandler(DenoisingHandler):
    """`{"inputs": prompt, "batch_size": 1}` to base64 images, uint8 (batch, height, width, 3).

    Extras: `negative_prompt`, `unconditional_guidance_scale`, `num_steps`, and all but `strength` that the
    diffusion stage has.
    """

    def __init__(self, path: str = "", report: Report = unreported) -> None:
        self._variant = chosen_variant(report)
        self._encoder = PromptEncoder(self._variant, report)
        self._decoder = LatentDecoder(self._variant, report)
        self.denoiser = Denoiser(self._variant, report)  # last: its threads would outlive what fails after it

    def start(self, data: dict[str, Any]) -> Ticket:
        fields = Fields(data)
        settings = DenoiseSettings.read(fields, self._variant)
        contexts = self._encoder.contexts(fields, settings.batch_size)
        return self.denoiser.start(*contexts, settings, finish=self._finish)

    def _finish(self, latents: Any) -> Tensors:
        return Tensors(image=self._decoder.images(latents))

    def info(self) -> dict[str, Any]:
        return describe_denoising_stage("all_in_one", self._variant, self._variant.shapes("image"), EXTRAS)
