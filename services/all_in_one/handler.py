"""All of Stable Diffusion as one Hugging Face Endpoint custom handler: a prompt becomes images."""

from typing import Any

from triptych.decode import LatentDecoder
from triptych.denoise import Denoiser
from triptych.encode import PromptEncoder
from triptych.fields import Fields
from triptych.info import describe_denoising_stage
from triptych.requests import DenoiseSettings
from triptych.variants import chosen_variant
from triptych.weights import Report, unreported
from triptych.wire import Tensors, encode_tensor

EXTRAS = ["negative_prompt", "seed", "sampler", "schedule", "num_steps", "unconditional_guidance_scale"]


class EndpointHandler:
    """`{"inputs": prompt, "batch_size": 1}` to base64 images, uint8 (batch, height, width, 3).

    Extras: `negative_prompt`, `seed`, `sampler`, `schedule`, `num_steps`, `unconditional_guidance_scale`,
    `height`, `width`.
    """

    def __init__(self, path: str = "", report: Report = unreported) -> None:
        self._variant = chosen_variant(report)
        self._encoder = PromptEncoder(self._variant, report)
        self._denoiser = Denoiser(self._variant, report)
        self._decoder = LatentDecoder(self._variant, report)

    def __call__(self, data: dict[str, Any]) -> str:
        return encode_tensor(self.tensors(data)["image"])

    def tensors(self, data: dict[str, Any]) -> Tensors:
        """The answer as it is before it is base64."""
        fields = Fields(data)
        settings = DenoiseSettings.read(fields, self._variant)
        contexts = self._encoder.contexts(fields, settings.batch_size)
        return Tensors(image=self._decoder.images(self._denoiser.latents(*contexts, settings)))

    def info(self) -> dict[str, Any]:
        shapes = self._variant.shapes("image")
        return describe_denoising_stage("all_in_one", self._variant, shapes, EXTRAS)
