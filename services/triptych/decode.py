"""What comes out of denoising: latents become images."""

import hashlib

import numpy as np
import numpy.typing as npt

from .compiled import CompiledPart
from .evidence import evidence_of
from .kept import KeptArrays
from .variants import Variant
from .weights import Report


class LatentDecoder:
    """Images of latents (the VAE's decoder). Those made lately are kept: to decode a latent again is free."""

    def __init__(self, variant: Variant, report: Report) -> None:
        self._model = CompiledPart(
            variant, "decoder", {"latent": np.zeros((1, *variant.latent), np.float32)}, report
        )
        self._kept = KeptArrays("pictures", evidence_of(report))

    def images(self, latents: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """uint8 (batch, height, width, 3) images of float32 (batch, height / 8, width / 8, 4) latents."""
        return np.stack([self._image(latent) for latent in latents])

    def decoded(self, latents: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The same as the model makes them: float32, about -1 to 1, and not clipped to that."""
        return np.stack([self._decoded(latent) for latent in latents])

    def _image(self, latent: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        digest = hashlib.blake2b(repr(latent.shape).encode() + latent.tobytes(), digest_size=16).digest()
        image = self._kept.get(digest)
        if image is None:
            image = as_uint8(self._decoded(latent))
            self._kept.put(digest, image)
        return image

    def _decoded(self, latent: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        decoded: npt.NDArray[np.float32] = self._model(latent=latent[None])[0]
        return decoded


def as_uint8(decoded: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """From -1 to 1 to 0 to 255, clipped."""
    image: npt.NDArray[np.uint8] = np.clip((decoded + 1) * 127.5, 0, 255).round().astype(np.uint8)
    return image
