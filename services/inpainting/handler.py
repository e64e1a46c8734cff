"""The inpainting diffusion model as a Hugging Face Endpoint custom handler."""

from typing import Any

from triptych.denoise import Denoiser
from triptych.encode import ImageEncoder, latent_mask
from triptych.fields import Fields
from triptych.info import describe_denoising_stage
from triptych.requests import DenoiseSettings, read_tensors
from triptych.samplers import SAMPLERS, Known
from triptych.variants import LATENT_CHANNELS, chosen_variant
from triptych.weights import Report, unreported
from triptych.wire import InvalidField, Tensors, encode_tensor

MAX_RESAMPLES = 20
RESAMPLING = [name for name, sampler in SAMPLERS.items() if sampler.resamples]


class EndpointHandler:
    """`{"inputs": [context, unconditional context, image, mask], …}` to a base64 latent.

    Image: uint8 (height, width, 3). Mask: uint8 (height, width, 1), 1 = keep, 0 = repaint. The rest,
    and the answer, are as for the diffusion stage; `num_resamples` repeats each step, with a
    sampler that can. A UNet that was trained for inpainting (9 channels) is shown mask and masked image,
    and repeats no step.
    """

    def __init__(self, path: str = "", report: Report = unreported) -> None:
        self._variant = chosen_variant(report)
        self._image_encoder = ImageEncoder(self._variant, report)
        self._denoiser = Denoiser(self._variant, report, inpaints=True)
        self._blends = self._variant.unet_channels == LATENT_CHANNELS

    def __call__(self, data: dict[str, Any]) -> str:
        return encode_tensor(self.tensors(data)["latent"])

    def tensors(self, data: dict[str, Any]) -> Tensors:
        """The answer as it is before it is base64; `inputs` may be Tensors too."""
        fields = Fields(data)
        settings = DenoiseSettings.read(fields, self._variant)
        resamples = fields.integer("num_resamples", 1, 1, MAX_RESAMPLES if self._blends else 1)
        if resamples > 1 and not settings.sampler.resamples:
            raise InvalidField("num_resamples", f"1 unless the sampler is {', '.join(RESAMPLING)}", resamples)
        tensors = read_tensors(fields, self._variant, settings, ("image", "mask"))
        contexts, unconditional, image, mask = tensors
        if self._blends:
            known = Known(self._image_encoder.latent(image), latent_mask(mask), resamples)
            latents = self._denoiser.latents(contexts, unconditional, settings, known)
        else:
            seen = self._image_encoder.conditioning(image, mask)
            latents = self._denoiser.latents(contexts, unconditional, settings, conditioning=seen)
        return Tensors(latent=latents)

    def info(self) -> dict[str, Any]:
        shapes = self._variant.shapes("context", "unconditional_context", "image", "mask", "latent")
        card = describe_denoising_stage("inpainting", self._variant, shapes, ["seed", "sampler", "schedule"])
        return card | {"resampling": RESAMPLING if self._blends else []}
