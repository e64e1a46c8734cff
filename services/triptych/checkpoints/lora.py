"""LoRA files, added to the tensors of a checkpoint as these are read.

A LoRA has two small matrices for a layer: W + weight · alpha / rank · up @ down is in the place of the
layer's W. Files name the layers as kohya's trainer does (`lora_unet_down_blocks_0_…`), as peft does
(`unet.down_blocks.0.….lora_A`), or as diffusers did before it (`….processor.to_q_lora.down`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .configuration import parse_object, read_object
from .mapped import StoredTensors
from .opening import COMPONENTS, map_tensors
from .source import Array, CheckpointError, Shape, TensorSource

if TYPE_CHECKING:
    import keras

ROLES = {
    "lora_down": "down",
    "lora_up": "up",
    "lora_mid": "mid",
    "lora_A": "down",
    "lora_B": "up",
    "lora_A.default": "down",
    "lora_B.default": "up",
    "lora.down": "down",
    "lora.up": "up",
    "lora_linear_layer.down": "down",
    "lora_linear_layer.up": "up",
}
KEY = re.compile(rf"(?P<layer>.+?)\.(?:(?P<role>{'|'.join(map(re.escape, ROLES))})\.weight|(?P<alpha>alpha))")
PROCESSOR = re.compile(r"\.processor\.(to_[qkv]|to_out)_lora\.")
"""How diffusers named the layers of an attention before it used peft."""
PARTS = {
    "lora_unet_": "diffusion",
    "unet.": "diffusion",
    "lora_te_": "text_encoder",
    "text_encoder.": "text_encoder",
    "base_model.model.text_model.": "text_encoder",
    "base_model.model.encoder.": "text_encoder",
    "base_model.model.": "diffusion",
    "text_model.": "text_encoder",
    "down_blocks.": "diffusion",
    "mid_block.": "diffusion",
    "up_blocks.": "diffusion",
}
"""Which part a layer is of, by how its name begins."""
WRAPPERS = ("lora_unet_", "lora_te_", "unet.", "text_encoder.", "base_model.model.")
SDXL = ("lora_te1_", "lora_te2_", "text_encoder_2.")
ADAPTER = "lora_adapter_metadata"
"""Where diffusers keeps peft's settings in a file's metadata."""
PEFT_STEM, PEFT_SETTINGS = "adapter_model", "adapter_config.json"
UNSERVED = ("alpha_pattern", "use_rslora", "use_dora")
"""peft's settings that make another sum of the matrices."""


class Lora(NamedTuple):
    """A file, and how much of it is added."""

    path: str
    weight: float = 1.0


@dataclass
class Change:
    """The matrices for one layer: `down` (rank, in, …), `up` (out, rank, …), for some convolutions `mid`."""

    title: str
    layer: str
    down: Array | None = None
    up: Array | None = None
    mid: Array | None = None
    alpha: float | None = None

    def check(self, shape: Shape) -> None:
        """Raise CheckpointError if this is no change to a tensor of this shape."""
        if self.down is None or self.up is None:
            raise CheckpointError(
                f"{self.title}: {self.layer} has no {'up' if self.up is None else 'down'} matrix"
            )
        if not self._fits(self.down, self.up, shape):
            mid = "" if self.mid is None else f", {self.mid.shape}"
            raise CheckpointError(
                f"{self.title}: {self.layer} has matrices of shapes {self.up.shape}{mid} and "
                f"{self.down.shape}, which make no change to a tensor of shape {shape}"
            )

    def delta(self, shape: Shape) -> npt.NDArray[np.float32]:
        """What the LoRA adds to a tensor of this shape, which must have been checked."""
        assert self.down is not None and self.up is not None
        rank = len(self.down)
        down, up = (array.astype(np.float32).reshape(len(array), -1) for array in (self.down, self.up))
        if self.mid is None:
            product = up @ down
        else:
            product = np.einsum("nmkl,in,mj->ijkl", self.mid.astype(np.float32), up, down, optimize=True)
        return product.reshape(shape) * np.float32((rank if self.alpha is None else self.alpha) / rank)

    def _fits(self, down: Array, up: Array, shape: Shape) -> bool:
        rank, outward = down.shape[:1], shape[:1]
        inward = shape[1:] if self.mid is None else shape[1:2]
        return (
            up.shape[:2] == outward + rank
            and down.shape[:2] == rank + shape[1:2]
            and 0 < up.size == math.prod(outward + rank)
            and 0 < down.size == math.prod(rank + inward)
            and (self.mid is None or self.mid.shape == rank + rank + shape[2:])
        )


class WithLoras:
    """A checkpoint's tensors with LoRAs added, float32 where one changes something."""

    def __init__(self, base: TensorSource, changes: Sequence[tuple[float, Change]]) -> None:
        self.title = base.title
        self._base = base
        self._changes = changes
        self._by_name: dict[str, list[tuple[float, Change]]] = {}

    def attach(self, model: keras.Model, part: str) -> None:
        self._base.attach(model, part)
        layers = {_flat(name.removesuffix(".weight")): name for name in self._base.names()}
        for weight, change in self._changes:
            name = layers.get(_flat(change.layer))
            if name is None:
                raise CheckpointError(
                    f"{change.title}: {change.layer} is not in the {part} of {self.title}: "
                    "it seems to be made for another model"
                )
            change.check(self._base.shape(name))
            self._by_name.setdefault(name, []).append((weight, change))

    def names(self) -> frozenset[str]:
        return self._base.names()

    def shape(self, name: str) -> Shape:
        return self._base.shape(name)

    def read(self, name: str) -> Array:
        array = self._base.read(name)
        for weight, change in self._by_name.get(name, ()):
            array = array.astype(np.float32) + np.float32(weight) * change.delta(array.shape)
        return array


def parse_loras(text: str) -> list[Lora]:
    """`path:0.8,other.safetensors`: files and how much of them is added, all of it where no number is given.

    Raises CheckpointError if what follows the last colon is no number.
    """
    return [_lora(item.strip()) for item in text.split(",") if item.strip()]


def with_loras(
    source: TensorSource, loras: Sequence[tuple[Path, float]], part: str, allow_pickle: bool = False
) -> TensorSource:
    """The source with what the LoRA files have for this part added to its tensors as they are read.

    Raises CheckpointError for a file that is no LoRA, or of a kind that is not served; what does not fit the
    model is found when the source is attached to one.
    """
    changes = [
        (weight, change)
        for path, weight in loras
        for change in _changes(path, map_tensors(path, allow_pickle)).get(part, [])
    ]
    return WithLoras(source, changes) if changes else source


def _lora(item: str) -> Lora:
    path, colon, weight = item.rpartition(":")
    if not colon:
        return Lora(item)
    try:
        number = float(weight)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise CheckpointError(f"LORA: {weight!r} in {item!r} is no number; it must be like path:0.8")
    return Lora(path, number)


def _changes(path: Path, stored: StoredTensors) -> dict[str, list[Change]]:
    """What the file changes, by part."""
    alphas = {part: _peft_alpha(path, stored, part) for part in set(PARTS.values())}
    changes: dict[tuple[str, str], Change] = {}
    for key, array in stored.arrays.items():
        part, layer, role = _key(key, path.name)
        change = changes.setdefault((part, layer), Change(path.name, layer, alpha=alphas[part]))
        setattr(change, role, _number(array, key, path.name) if role == "alpha" else array)
    by_part: dict[str, list[Change]] = {}
    for (part, _), change in changes.items():
        by_part.setdefault(part, []).append(change)
    return by_part


def _key(key: str, title: str) -> tuple[str, str, str]:
    """The part, the layer and down, up, mid or alpha. Raises CheckpointError if the key is no LoRA's."""
    if key.startswith(SDXL):
        raise CheckpointError(f"{title} has {key}: it is a LoRA for Stable Diffusion XL, not for 1.x or 2.x")
    found = KEY.fullmatch(PROCESSOR.sub(r".\1.lora.", key))
    part = next((part for beginning, part in PARTS.items() if key.startswith(beginning)), None)
    if not found or not part:
        raise CheckpointError(
            f"{title} has {key}, which is no layer of a LoRA that is served (lora_down and lora_up)"
        )
    layer = found["layer"]
    for wrapper in WRAPPERS:
        layer = layer.removeprefix(wrapper)
    layer = f"{layer}.0" if layer.endswith(".to_out") else layer
    return part, layer, "alpha" if found["alpha"] else ROLES[found["role"]]


def _flat(layer: str) -> str:
    """Kohya's trainer writes underscores for the dots; transformers from version 5 leaves text_model out."""
    return layer.replace(".", "_").removeprefix("text_model_")


def _number(array: Array, key: str, title: str) -> float:
    if array.size != 1 or not math.isfinite(number := float(array.item())):
        raise CheckpointError(f"{title}: {key} is no number")
    return number


def _peft_alpha(path: Path, stored: StoredTensors, part: str) -> float | None:
    """peft's alpha for all layers of a part, None if the file does not say."""
    settings = _peft_settings(path, stored, COMPONENTS[part].folder)
    if unserved := [name for name in UNSERVED if settings.get(name)]:
        raise CheckpointError(f"{path.name} was trained with {unserved[0]}, which is not served")
    alpha = settings.get("lora_alpha")
    if not isinstance(alpha, int | float | None):
        raise CheckpointError(f"{path.name}: its lora_alpha is {alpha!r}, no number")
    return alpha


def _peft_settings(path: Path, stored: StoredTensors, component: str) -> dict[str, Any]:
    """What diffusers keeps in the file's metadata, and peft in a file beside it."""
    settings = parse_object(stored.metadata.get(ADAPTER, "{}"), f"{ADAPTER} of {path.name}")
    if path.stem == PEFT_STEM:
        settings = settings or read_object(path.with_name(PEFT_SETTINGS))
        if not settings:
            raise CheckpointError(f"{path.name} needs {PEFT_SETTINGS} beside it, which says how much to add")
    return {name.removeprefix(f"{component}."): value for name, value in settings.items()}
