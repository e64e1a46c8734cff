"""The middle panel: noise and a context become a latent."""

import numpy as np
import numpy.typing as npt

from .engine import Engine, Order, Ticket, Unet
from .engine.ticket import Finish
from .requests import DenoiseSettings
from .samplers import Denoising, Known, Latent, Noise, State
from .variants import LATENT_CHANNELS, Variant
from .weights import Report
from .wire import Tensors

Context = npt.NDArray[np.float32]


class Denoiser:
    """Latents from contexts. Each image has noise of its own, so that it is the same in any batch."""

    def __init__(self, variant: Variant, report: Report, inpaints: bool = False) -> None:
        if variant.unet_channels != LATENT_CHANNELS and not inpaints:
            raise ValueError(
                f"{variant.title} is made for inpainting: its UNet takes {variant.unet_channels} channels, a "
                "mask and a masked image among them. Serve it as the inpainting stage, and another model here"
            )
        self._variant = variant
        self.engine = Engine(Unet(variant, report))

    def start(
        self,
        contexts: Context,
        unconditional: Context,
        settings: DenoiseSettings,
        known: Known | None = None,
        conditioning: Latent | None = None,
        image: npt.NDArray[np.float32] | None = None,
        finish: Finish | None = None,
    ) -> Ticket:
        """Begin to make latents of contexts (batch, 77, width), both kinds; returns at once.

        With `known`, each is painted around what is kept of an image. `conditioning`, float32
        (height, width, 5), is what a UNet trained for inpainting takes beside each latent. `image` has the
        latent that each starts from, (batch, …), as far as `settings.strength` leaves it. `finish` makes
        the answer.
        """
        denoising = Denoising(settings.sampler, settings.schedule, self._variant.prediction, known)
        starts = [
            self._start(denoising, settings, seed, image[index] if image is not None else None)
            for index, seed in enumerate(settings.seeds)
        ]
        orders = [
            Order(denoising, start, context, without, settings.guidance, conditioning, settings.deep_interval)
            for start, context, without in zip(starts, contexts, unconditional, strict=True)
        ]
        return self.engine.submit(
            orders, settings.resumed or starts, settings.client, finish or _latents, self._variant.preview
        )

    def latents(
        self,
        contexts: Context,
        unconditional: Context,
        settings: DenoiseSettings,
        known: Known | None = None,
        conditioning: Latent | None = None,
    ) -> npt.NDArray[np.float32]:
        """The latents that `start` makes, float32 (batch, height, width, 4), waited for."""
        return self.start(contexts, unconditional, settings, known, conditioning).latents()

    def _start(
        self, denoising: Denoising, settings: DenoiseSettings, seed: int, image: Latent | None
    ) -> State:
        noise = Noise.named(settings.noise, seed)
        if image is None or settings.strength == 1:
            return denoising.start(noise, self._variant.shapes("latent", size=settings.size)["latent"])
        return denoising.start_from(image, noise, settings.strength)


def _latents(latents: npt.NDArray[np.float32]) -> Tensors:
    return Tensors(latent=latents)
