"""The part of a picture that inpainting sees, and the way back.

A model sees one small size; pictures come in any. A window of the model's proportions is laid around what
is to be repainted, with surroundings for the model to match, scaled to the model's size, inpainted, scaled
back and pasted. Only pixels of the mask change.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from .images import Mask, Picture, Pixels, flatten
from .info import LATENT_FACTOR

CONTEXT = 1.5
"""How much larger than the repainted area the window is."""
BLOCK = LATENT_FACTOR
"""Pixels that are kept or repainted as a whole, each way: one of the latent's."""
FEATHER = 1 / 32
"""Width of the feathered edge, as part of the window's shorter side."""
MAX_FEATHER = 16


class Span(NamedTuple):
    """From `start` up to but not including `end`, in pixels."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Axis:
    """One direction of a window: the `picture` pixels it shows, and which `model` pixels show them.

    The model's other pixels, where the window reaches beyond the picture, repeat the nearest edge.
    """

    picture: Span
    model: Span
    model_size: int

    @classmethod
    def around(cls, area: Span, picture_size: int, model_size: int, window_size: float) -> "Axis":
        """The window of this size with the area in its middle, within the picture where it fits."""
        if window_size >= picture_size:
            shown = max(1, round(picture_size * model_size / window_size))
            start = (model_size - shown) // 2
            return cls(Span(0, picture_size), Span(start, start + shown), model_size)
        size = max(round(window_size), area.length)
        middle = (area.start + area.end) // 2
        start = min(max(middle - size // 2, 0), picture_size - size)
        return cls(Span(start, start + size), Span(0, model_size), model_size)

    @property
    def padding(self) -> tuple[int, int]:
        return self.model.start, self.model_size - self.model.end

    def blocks(self) -> npt.NDArray[np.float32]:
        """(blocks, pixels of the picture): 1 where the pixel reaches into the block of the latent."""
        scale = self.model.length / self.picture.length
        pixels = self.model.start + np.arange(self.picture.length) * scale
        starts = np.arange(0, self.model_size, BLOCK)[:, None]
        return ((pixels < starts + BLOCK) & (pixels + scale > starts)).astype(np.float32)


@dataclass(frozen=True)
class Window:
    """A rectangle of a picture, shown to a model of one size."""

    rows: Axis
    columns: Axis

    @classmethod
    def around(cls, repaint: Mask, model_size: tuple[int, int], whole: bool = False) -> "Window":
        """For a model of this (width, height): at its own resolution where that holds the area, or of the
        `whole` picture."""
        height, width = repaint.shape
        model_width, model_height = model_size
        rows, columns = _span(repaint.any(axis=1)), _span(repaint.any(axis=0))
        wanted = CONTEXT * max(columns.length / model_width, rows.length / model_height)
        everything = max(width / model_width, height / model_height)
        scale = everything if whole else min(max(1.0, wanted), everything)
        return cls(
            Axis.around(rows, height, model_height, scale * model_height),
            Axis.around(columns, width, model_width, scale * model_width),
        )

    @property
    def _there(self) -> tuple[slice, slice]:
        return slice(*self.rows.picture), slice(*self.columns.picture)

    def picture_for_model(self, picture: Picture) -> Pixels:
        """What the model sees: uint8 (model height, model width, 3)."""
        shown = _resize(
            flatten(picture.pixels[self._there]), self.columns.model.length, self.rows.model.length
        )
        return np.pad(shown, (self.rows.padding, self.columns.padding, (0, 0)), mode="edge")

    def keep_for_model(self, repaint: Mask, greys: Pixels | None = None) -> Pixels:
        """The stage's mask: uint8 (model height, model width, 1), 1 = keep, 0 = repaint, and with greys 255 =
        keep, 0 = repaint wholly.

        The stage repaints a latent's block only where all of it may be repainted, so every block that the
        area touches is opened whole. Greys are for the stage to make blocks of.
        """
        if greys is not None:
            return self._keep_by_greys(greys)
        area = repaint[self._there].astype(np.float32)
        opened = self.rows.blocks() @ area @ self.columns.blocks().T > 0
        pixels = opened.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
        keep = ~pixels[: self.rows.model_size, : self.columns.model_size]
        return keep.astype(np.uint8)[..., None]

    def _keep_by_greys(self, greys: Pixels) -> Pixels:
        shown = _resize(greys[self._there], self.columns.model.length, self.rows.model.length)
        return 255 - np.pad(shown, (self.rows.padding, self.columns.padding))[..., None]

    def paste(self, picture: Picture, repaint: Mask, painted: Pixels, greys: Pixels | None = None) -> Picture:
        """The picture with `painted`, as the model made it, inside the area; every other pixel untouched."""
        rows, columns = self.rows, self.columns
        part = painted[slice(*rows.model), slice(*columns.model)]
        patch = Image.fromarray(_resize(part, columns.picture.length, rows.picture.length))
        whole = Image.fromarray(picture.pixels)
        weights = Image.fromarray(self._weights(repaint, greys))
        whole.paste(patch.convert(whole.mode), (columns.picture.start, rows.picture.start), weights)
        return Picture(np.asarray(whole), picture.profile)

    def _weights(self, repaint: Mask, greys: Pixels | None) -> Pixels:
        """How much of the new each pixel shows, 0 to 255: by the greys, or else with a feathered edge."""
        if greys is not None:
            return np.ascontiguousarray(greys[self._there])
        return edge_weights(repaint[self._there], self._feather())

    def _feather(self) -> int:
        shorter = min(self.rows.picture.length, self.columns.picture.length)
        return min(MAX_FEATHER, max(1, round(FEATHER * shorter)))


def _span(used: np.bool_ | npt.NDArray[np.bool_]) -> Span:
    indices = np.flatnonzero(used)
    return Span(int(indices[0]), int(indices[-1]) + 1)


def _resize(pixels: Pixels, width: int, height: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def edge_weights(repaint: Mask, feather: int) -> Pixels:
    """How much of the new each pixel shows, 0 to 255: more over `feather` pixels from the edge inwards.

    An area too thin for that, a stroke, has a narrower edge: it must not fade away.
    """
    depth, left = np.zeros(repaint.shape, np.uint8), repaint
    for _ in range(2 * feather):
        depth += left
        left = _shrink(left)
    thickness = depth
    for _ in range(2 * feather):
        thickness = _spread(thickness)
    weights = depth.astype(np.uint16) * 510 // np.maximum(thickness, 2)
    return np.minimum(weights, 255).astype(np.uint8)


def _shrink(area: Mask) -> Mask:
    """The area less its outermost pixels; the array's own border is no edge."""
    padded = np.pad(area, 1, constant_values=True)
    return area & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]


def _spread(values: Pixels) -> Pixels:
    """The largest of each pixel and its four neighbours."""
    padded = np.pad(values, 1)
    rows = np.maximum(padded[:-2, 1:-1], padded[2:, 1:-1])
    columns = np.maximum(padded[1:-1, :-2], padded[1:-1, 2:])
    return np.maximum(values, np.maximum(rows, columns))
