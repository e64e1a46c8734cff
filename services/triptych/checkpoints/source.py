"""What a checkpoint is to the rest of the library: named tensors, read where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


class CheckpointError(ValueError):
    """A file of weights that does not belong to the model; says which tensor, and both shapes."""


class TensorSource(Protocol):
    """The tensors of one part, under the names that they have in diffusers' state dict of it.

    The part is text_encoder, diffusion, decoder or image_encoder; names are those of the UNet, of the text
    encoder (with `text_model.`) or of the whole VAE.
    """

    @property
    def title(self) -> str:
        """The file or folder, for error messages."""

    def attach(self, model: keras.Model, part: str) -> None:
        """Get ready for this model: a file without names goes by its layers; its maths may have to change.

        Called once, before the other methods. Raises CheckpointError if the model is of another kind.
        """

    def names(self) -> frozenset[str]:
        """Of every tensor that the part must take."""

    def shape(self, name: str) -> Shape:
        """As torch has it: (out, in) of a dense layer, (out, in, height, width) of a convolution."""

    def read(self, name: str) -> Array:
        """The tensor as it is stored, float16, bfloat16, float32 or float64: a view of the mapped file."""


class Tensors:
    """Tensors of a file made for diffusers or for CompVis' code, mapped, renamed already."""

    def __init__(self, title: str, arrays: Mapping[str, Array]) -> None:
        self.title = title
        self._arrays = arrays

    def attach(self, model: keras.Model, part: str) -> None:
        from .maths import match_checkpoint

        match_checkpoint(model, part)

    def names(self) -> frozenset[str]:
        return frozenset(self._arrays)

    def shape(self, name: str) -> Shape:
        return self._arrays[name].shape

    def read(self, name: str) -> Array:
        return self._arrays[name]
