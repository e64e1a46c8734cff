"""The linear preview of the shipped autoencoder's latents: what `triptych.preview.TINY_PREVIEW` has."""

from __future__ import annotations

import numpy as np

from training.evaluate import composed, subjects
from training.export import shipped

COUNT = 600
FACTOR = 8


def fit() -> None:
    """Print the factors and the bias that come nearest, and how near: fitted to one half of pictures of
    held-out pairs, measured on the other."""
    images = composed(subjects(True, COUNT))
    latents = shipped().codec.encode(images)
    small = images.reshape(len(images), 16, FACTOR, 16, FACTOR, 3).mean((2, 4)) / 127.5 - 1
    channels = np.concatenate([latents, np.ones((*latents.shape[:-1], 1), np.float32)], axis=-1)
    half = len(images) // 2
    solution, *_ = np.linalg.lstsq(channels[:half].reshape(-1, 5), small[:half].reshape(-1, 3), rcond=None)
    error = np.abs(channels[half:] @ solution - small[half:]).mean() * 127.5
    print("factors:", np.round(solution[:4], 4).tolist())
    print("bias:", np.round(solution[4], 4).tolist())
    print(f"mean error: {error:.1f} of 255; of one grey for all: {small[half:].std() * 127.5:.1f}")
