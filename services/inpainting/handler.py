"""The inpainting diffusion model as a Hugging Face Endpoint custom handler."""

from functools import partial
from typing import Any

import numpy as np

from triptych.denoise import Denoiser
from triptych.encode import ImageEncoder, latent_mask, soft_latent_mask
from triptych.engine import Ticket
from triptych.fields import Fields
from triptych.info import describe_denoising_stage
from triptych.requests import DenoiseSettings, read_tensors
from triptych.samplers import SAMPLERS, Known
from triptych.stage import DenoisingHandler
from triptych.variants import LATENT_CHANNELS, chosen_variant
from triptych.weights import Report, unreported
from triptych.wire import InvalidField

MAX_RESAMPLES = 20
RESAMPLING = [name for name, sampler in SAMPLERS.items() if sampler.resamples]


class EndpointHandler(DenoisingHandler):
    """`{"inputs": [context, unconditional context, image, mask], …}` to a base64 latent.

    Image: uint8 (height, width, 3). Mask: uint8 (height, width, 1), 1 = keep, 0 = repaint; with `soft_mask`
    from 255 to 0. The rest, and the answer, are as for the diffusion stage; `num_resamples` repeats each
    step, with a sampler that can; `strength` is how much of the repainted part is made anew. A UNet that was
    trained for inpainting (9 channels) is shown mask and masked image, and repeats no step.

    `beside` is the diffusion stage's handler where both are served by one process: its UNet serves both.
    """

    def __init__(self, path: str = "", report: Report = unreported, beside: Any = None) -> None:
        self.variant = beside.variant if beside else chosen_variant(report)
        self._image_encoder = ImageEncoder(self.variant, report)
        self.denoiser = beside.denoiser if beside else Denoiser(self.variant, report, inpaints=True)
        self._blends = self.variant.unet_channels == LATENT_CHANNELS

    def start(self, data: dict[str, Any]) -> Ticket:
        fields = Fields(data)
        settings = DenoiseSettings.read(fields, self.variant)
        resamples = fields.integer("num_resamples", 1, 1, MAX_RESAMPLES if self._blends else 1)
        if resamples > 1 and not settings.sampler.resamples:
            raise InvalidField("num_resamples", f"1 unless the sampler is {', '.join(RESAMPLING)}", resamples)
        pooled = soft_latent_mask if fields.flag("soft_mask") else latent_mask
        tensors = read_tensors(fields, self.variant, settings, ("image", "mask"))
        contexts, unconditional, image, mask = tensors
        start = partial(self.denoiser.start, contexts, unconditional, settings)
        latent = self._image_encoder.latent(image) if self._blends or settings.strength < 1 else None
        images = None if latent is None else np.stack([latent] * settings.batch_size)
        if self._blends and latent is not None:
            return start(known=Known(latent, pooled(mask), resamples), image=images)
        return start(conditioning=self._image_encoder.conditioning(image, mask), image=images)

    def info(self) -> dict[str, Any]:
        shapes = self.variant.shapes("context", "unconditional_context", "image", "mask", "latent")
        extras = ["strength", *(["soft_mask"] if self._blends else [])]
        card = describe_denoising_stage("inpainting", self.variant, shapes, extras)
        return card | {"resampling": RESAMPLING if self._blends else []}
