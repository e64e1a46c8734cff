"""The diffusion model as a Hugging Face Endpoint custom handler: contexts become latents."""

from typing import Any

from triptych.denoise import Denoiser
from triptych.fields import Fields
from triptych.info import describe_denoising_stage
from triptych.requests import DenoiseSettings, read_tensors
from triptych.variants import chosen_variant
from triptych.weights import Report, unreported
from triptych.wire import Tensors, encode_tensor


class EndpointHandler:
    """`{"inputs": [context, unconditional context], "batch_size", "num_steps", …}` to a base64 latent.

    The latent is float32 (batch, height / 8, width / 8, 4). Extras: `seed`, `sampler`, `schedule`, `height`,
    `width`.
    """

    def __init__(self, path: str = "", report: Report = unreported) -> None:
        self._variant = chosen_variant(report)
        self._denoiser = Denoiser(self._variant, report)

    def __call__(self, data: dict[str, Any]) -> str:
        return encode_tensor(self.tensors(data)["latent"])

    def tensors(self, data: dict[str, Any]) -> Tensors:
        """The answer as it is before it is base64; `inputs` may be Tensors too."""
        fields = Fields(data)
        settings = DenoiseSettings.read(fields, self._variant)
        contexts, unconditional = read_tensors(fields, self._variant, settings)
        return Tensors(latent=self._denoiser.latents(contexts, unconditional, settings))

    def info(self) -> dict[str, Any]:
        shapes = self._variant.shapes("context", "unconditional_context", "latent")
        return describe_denoising_stage("diffusion", self._variant, shapes, ["seed", "sampler", "schedule"])
