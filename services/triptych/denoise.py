"""The middle panel: noise and a context become a latent."""

import numpy as np
import numpy.typing as npt

from .compiled import CompiledPart
from .requests import DenoiseSettings
from .samplers import Denoising, Known, Latent, Noise, Predict
from .variants import LATENT_CHANNELS, Variant
from .weights import Report

TIMESTEP_WIDTH = 320
MAX_PERIOD = 10_000

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
        example = {
            "latent": np.zeros((2, *variant.latent[:2], variant.unet_channels), np.float32),
            "timestep_embedding": np.zeros((2, TIMESTEP_WIDTH), np.float32),
            "context": np.zeros((2, *variant.context), np.float32),
        }
        self._model = CompiledPart(variant, "diffusion", example, report)

    def latents(
        self,
        contexts: Context,
        unconditional: Context,
        settings: DenoiseSettings,
        known: Known | None = None,
        conditioning: Latent | None = None,
    ) -> Latent:
        """Latents, float32 (batch, height, width, 4), of contexts (batch, 77, width), both kinds.

        With `known`, each is painted around what is kept of an image. `conditioning`, float32
        (height, width, 5), is what a UNet trained for inpainting takes beside each latent.
        """
        rows = zip(contexts, unconditional, settings.seeds, strict=True)
        return np.stack([self._latent(*row, settings, known, conditioning) for row in rows])

    def _latent(
        self,
        context: Context,
        unconditional: Context,
        seed: int,
        settings: DenoiseSettings,
        known: Known | None,
        conditioning: Latent | None,
    ) -> Latent:
        denoising = Denoising(settings.sampler, settings.schedule, self._variant.prediction, known)
        shape = self._variant.shapes("latent", size=settings.size)["latent"]
        predict = self._guided(context, unconditional, settings.guidance_scale, conditioning)
        return denoising.run(denoising.start(Noise.seeded(seed), shape), predict)

    def _guided(
        self, context: Context, unconditional: Context, scale: float, conditioning: Latent | None
    ) -> Predict:
        """What the UNet predicts, guided away from the unconditional prediction; both halves in one batch."""
        contexts = np.stack([unconditional, context])

        def predict(latent: Latent, timestep: float) -> Latent:
            seen = latent if conditioning is None else np.concatenate([latent, conditioning], axis=-1)
            without, conditional = self._model(
                latent=np.stack([seen, seen]),
                timestep_embedding=np.repeat(timestep_embedding(timestep), 2, axis=0),
                context=contexts,
            )
            guided: Latent = without + np.float32(scale) * (conditional - without)
            return guided

        return predict


def timestep_embedding(timestep: float) -> npt.NDArray[np.float32]:
    """The sinusoidal embedding, float32 (1, 320): cosines, then sines (as in keras-cv)."""
    half = TIMESTEP_WIDTH // 2
    frequencies = np.exp(-np.log(MAX_PERIOD) * np.arange(half, dtype=np.float32) / half)
    angles = np.float32(timestep) * frequencies
    return np.concatenate([np.cos(angles), np.sin(angles)])[None].astype(np.float32)
