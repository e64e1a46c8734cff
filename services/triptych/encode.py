"""What goes into denoising: prompts become contexts, images become latents."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .compiled import CompiledPart
from .evidence import evidence_of
from .fields import Fields
from .tokenizer import encode
from .variants import LATENT_FACTOR, PROMPT_TOKENS, Variant
from .weights import Report

KEPT_CONTEXTS = 256

Contexts = npt.NDArray[np.float32]


class PromptEncoder:
    """Contexts of prompts, the latest of which are kept; that of the empty prompt from the start."""

    def __init__(self, variant: Variant, report: Report) -> None:
        self._padding = variant.padding_token
        self._positions = np.arange(PROMPT_TOKENS, dtype=np.int32)[None]
        example = {"tokens": np.zeros((1, PROMPT_TOKENS), np.int32), "positions": self._positions}
        self._model = CompiledPart(variant, "text_encoder", example, report)
        self._encoded = lru_cache(KEPT_CONTEXTS)(self._encode)
        self._evidence = evidence_of(report)
        self._unconditional = self._encode("", "inputs")

    def contexts(self, fields: Fields, batch_size: int) -> tuple[Contexts, Contexts]:
        """The contexts of `inputs` and of `negative_prompt`, each float32 (batch, 77, width).

        All rows are the same. Raises InvalidField, among others for more than 77 tokens.
        """
        keys = {"inputs": fields.text("inputs"), "negative_prompt": fields.text("negative_prompt", "")}
        context, unconditional = (self._context(text, key) for key, text in keys.items())
        return np.stack([context] * batch_size), np.stack([unconditional] * batch_size)

    def _context(self, prompt: str, key: str) -> Contexts:
        if not prompt:
            return self._unconditional
        hits = self._encoded.cache_info().hits
        context: Contexts = self._encoded(prompt, key)
        self._evidence.looked_up("contexts", self._encoded.cache_info().hits > hits)
        return context

    def _encode(self, prompt: str, key: str) -> Contexts:
        tokens = encode(prompt, key, self._padding)[None]
        context: Contexts = self._model(tokens=tokens, positions=self._positions)[0]
        return context


class ImageEncoder:
    """Latents of images (the VAE's encoder)."""

    def __init__(self, variant: Variant, report: Report) -> None:
        shape = variant.shapes("image")["image"]
        self._model = CompiledPart(
            variant, "image_encoder", {"image": np.zeros((1, *shape), np.float32)}, report
        )

    def latent(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The mean latent, float32 (height / 8, width / 8, 4), of a uint8 (height, width, 3) image."""
        return self._latent(scaled(image))

    def latents(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The mean latents, (batch, height / 8, width / 8, 4), of float32 (batch, height, width, 3) images
        from -1 to 1."""
        return np.stack([self._latent(image) for image in images])

    def conditioning(
        self, image: npt.NDArray[np.uint8], keep: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        """What a UNet trained for inpainting sees beside the latent, float32 (height / 8, width / 8, 5).

        First the mask, 1 where any of a cell's pixels is repainted; then the latent of the image with
        those pixels grey. `keep` is uint8 (height, width, 1), 1 = keep.
        """
        kept = (keep != 0).astype(np.float32)
        repaint = 1 - _cells(kept).min(axis=(1, 3))
        return np.concatenate([repaint, self._latent(scaled(image) * kept)], axis=-1)

    def _latent(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        latent: npt.NDArray[np.float32] = self._model(image=image[None])[0]
        return latent


def scaled(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """From 0 to 255 to -1 to 1."""
    return image.astype(np.float32) / np.float32(127.5) - 1


def latent_mask(keep: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """A mask (height, width, 1) of 1 = keep, 0 = repaint, at latent size: float32, 8 by 8 max-pooled.

    A latent cell is kept if any of its pixels is, as the first keras-cv inpainting did.
    """
    pooled: npt.NDArray[np.float32] = _cells((keep != 0).astype(np.float32)).max(axis=(1, 3))
    return pooled


def soft_latent_mask(keep: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """A mask (height, width, 1) from 255 = keep to 0 = repaint, at latent size: float32 means, 1 to 0."""
    pooled: npt.NDArray[np.float32] = _cells(keep.astype(np.float32)).mean(axis=(1, 3)) / np.float32(255)
    return pooled


def _cells(mask: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A mask (height, width, 1) as (rows, 8, columns, 8, 1): one 8 by 8 cell for each latent position."""
    height, width, _ = mask.shape
    return mask.reshape(height // LATENT_FACTOR, LATENT_FACTOR, width // LATENT_FACTOR, LATENT_FACTOR, 1)
