"""The middle panel: noise and a context become a latent."""

from collections import deque

import numpy as np
import numpy.typing as npt

from .compiled import CompiledPart
from .requests import DenoiseSettings
from .samplers import Known, PredictNoise, ddim, initial_noise, inpaint
from .variants import Variant
from .weights import Report

TIMESTEP_WIDTH = 320
MAX_PERIOD = 10_000

Context = npt.NDArray[np.float32]


class Denoiser:
    """Latents from contexts. Each image has a generator of its own, so that it is the same in any batch."""

    def __init__(self, variant: Variant, report: Report) -> None:
        self._shape = variant.latent
        example = {
            "latent": np.zeros((2, *variant.latent), np.float32),
            "timestep_embedding": np.zeros((2, TIMESTEP_WIDTH), np.float32),
            "context": np.zeros((2, *variant.context), np.float32),
        }
        self._model = CompiledPart(variant, "diffusion", example, report)

    def latents(
        self, contexts: Context, unconditional: Context, settings: DenoiseSettings, known: Known | None = None
    ) -> npt.NDArray[np.float32]:
        """Latents, float32 (batch, height, width, 4), of contexts (batch, 77, width), both kinds.

        With `known`, each is painted around what is kept of an image.
        """
        rows = zip(contexts, unconditional, settings.seeds, strict=True)
        return np.stack([self._latent(*row, settings, known) for row in rows])

    def _latent(
        self,
        context: Context,
        unconditional: Context,
        seed: int,
        settings: DenoiseSettings,
        known: Known | None,
    ) -> npt.NDArray[np.float32]:
        rng = np.random.Generator(np.random.PCG64(seed))
        noise = initial_noise(rng, self._shape)
        predict = self._guided(context, unconditional, settings.guidance_scale)
        if known is None:
            steps = ddim(predict, noise, settings.schedule)
        else:
            steps = inpaint(predict, noise, settings.schedule, known, rng)
        return deque(steps, maxlen=1)[0]

    def _guided(self, context: Context, unconditional: Context, scale: float) -> PredictNoise:
        """The noise in a latent, guided away from the unconditional one; both halves in one batch."""
        contexts = np.stack([unconditional, context])

        def predict(latent: npt.NDArray[np.float32], timestep: int) -> npt.NDArray[np.float32]:
            without, conditional = self._model(
                latent=np.stack([latent, latent]),
                timestep_embedding=np.repeat(timestep_embedding(timestep), 2, axis=0),
                context=contexts,
            )
            guided: Context = without + np.float32(scale) * (conditional - without)
            return guided

        return predict


def timestep_embedding(timestep: int) -> npt.NDArray[np.float32]:
    """The sinusoidal embedding, float32 (1, 320): cosines, then sines (as in keras-cv)."""
    half = TIMESTEP_WIDTH // 2
    frequencies = np.exp(-np.log(MAX_PERIOD) * np.arange(half, dtype=np.float32) / half)
    angles = np.float32(timestep) * frequencies
    return np.concatenate([np.cos(angles), np.sin(angles)])[None].astype(np.float32)
