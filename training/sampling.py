"""Pictures from prompts, many at a time, with the project's own schedules and samplers."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from training.latents import Codec
from triptych.engine.unet import timestep_embedding
from triptych.models.tiny import LATENT_SHAPE, MAX_TOKENS
from triptych.samplers import DEFAULT_SAMPLER, SAMPLERS, Denoising, Known, Noise, Predict, State
from triptych.schedule import DEFAULT_SCHEDULE, make_schedule
from triptych.tokenizer import encode

ROWS = 50


@dataclass(frozen=True)
class Painter:
    """The four models of a trained or shipped variant, used in batches of 50."""

    text_encoder: keras.Model
    diffusion: keras.Model
    codec: Codec

    def paint(
        self,
        prompts: list[str],
        guidance: float,
        steps: int = 20,
        seed: int = 0,
        sampler: str = DEFAULT_SAMPLER,
        schedule: str = DEFAULT_SCHEDULE,
        negatives: list[str] | None = None,
    ) -> np.ndarray:
        """Images, uint8 (n, 128, 128, 3); `negatives` are as many negative prompts."""
        denoising = Denoising(SAMPLERS[sampler], make_schedule(steps, schedule))
        return self.codec.decode(self._latents(prompts, guidance, denoising, seed, negatives))

    def repaint(self, prompts: list[str], guidance: float, known: Known, steps: int = 20) -> np.ndarray:
        """Images with the kept regions of the known latents (n, 16, 16, 4), for at most 50 prompts."""
        denoising = Denoising(SAMPLERS[DEFAULT_SAMPLER], make_schedule(steps), known=known)
        return self.codec.decode(self._latents(prompts, guidance, denoising, 0))

    def _latents(
        self,
        prompts: list[str],
        guidance: float,
        denoising: Denoising,
        seed: int,
        negatives: list[str] | None = None,
    ) -> np.ndarray:
        negatives = negatives or [""] * len(prompts)
        noise = Noise.seeded(seed)
        rows = []
        for start in range(0, len(prompts), ROWS):
            part = prompts[start : start + ROWS]
            latent, noise = noise.draw((len(part), *LATENT_SHAPE))
            predict = self._guided(part, negatives[start : start + ROWS], guidance)
            rows.append(denoising.run(State(latent, noise), predict))
        return np.concatenate(rows)

    def _guided(self, prompts: list[str], negatives: list[str], guidance: float) -> Predict:
        contexts = self._contexts(negatives + prompts)

        def predict(latent: np.ndarray, timestep: float) -> np.ndarray:
            embedding = np.repeat(timestep_embedding(timestep), 2 * len(prompts), axis=0)
            both = [np.concatenate([latent, latent]), embedding, contexts]
            without, conditional = np.split(self.diffusion.predict_on_batch(both), 2)
            guided: np.ndarray = without + np.float32(guidance) * (conditional - without)
            return guided

        return predict

    def _contexts(self, prompts: list[str]) -> np.ndarray:
        tokens = np.stack([encode(prompt) for prompt in prompts])
        positions = np.tile(np.arange(MAX_TOKENS, dtype=np.int32), (len(prompts), 1))
        contexts: np.ndarray = self.text_encoder.predict_on_batch([tokens, positions])
        return contexts
