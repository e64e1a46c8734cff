"""The inpainting diffusion model as a Hugging Face Endpoint custom handler."""

from typing import Any

from triptych.denoise import Denoiser
from triptych.encode import ImageEncoder, latent_mask
from triptych.fields import Fields
from triptych.info import describe_denoising_stage
from triptych.requests import DenoiseSettings, read_tensors
from triptych.samplers import Known
from triptych.variants import chosen_variant
from triptych.weights import Report, unreported
from triptych.wire import encode_tensor

MAX_RESAMPLES = 20


class EndpointHandler:
    """`{"inputs": [context, unconditional context, image, mask], …}` to a base64 latent.

    Image: uint8 (height, width, 3). Mask: uint8 (height, width, 1), 1 = keep, 0 = repaint. The rest,
    and the answer, are as for the diffusion stage; `num_resamples` repeats each step.
    """

    def __init__(self, path: str = "", report: Report = unreported) -> None:
        self._variant = chosen_variant()
        self._image_encoder = ImageEncoder(self._variant, report)
        self._denoiser = Denoiser(self._variant, report)

    def __call__(self, data: dict[str, Any]) -> str:
        fields = Fields(data)
        settings = DenoiseSettings.read(fields, self._variant)
        resamples = fields.integer("num_resamples", 1, 1, MAX_RESAMPLES)
        tensors = read_tensors(fields, self._variant, settings.batch_size, ("image", "mask"))
        contexts, unconditional, image, mask = tensors
        known = Known(self._image_encoder.latent(image), latent_mask(mask), resamples)
        return encode_tensor(self._denoiser.latents(contexts, unconditional, settings, known))

    def info(self) -> dict[str, Any]:
        shapes = self._variant.shapes("context", "unconditional_context", "image", "mask", "latent")
        return describe_denoising_stage("inpainting", self._variant, shapes, ["seed", "schedule"])
