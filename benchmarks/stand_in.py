"""A stand-in for the handlers of Stable Diffusion 1.x at 512 × 512: their tensors in, a wait, theirs out.

No model runs. `benchmarks.overhead` puts this file into a folder for each stage, and the host serves it as
any other handler; STAND_IN_SECONDS is how long each call takes.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from triptych.fields import Fields
from triptych.wire import Shape, Tensors, encode_tensor

MOST_IMAGES = 16
CONTEXTS = ("context", "unconditional_context")
SHAPES: dict[str, Shape] = {
    **dict.fromkeys(CONTEXTS, (77, 768)),
    "latent": (64, 64, 4),
    "image": (512, 512, 3),
}
TENSORS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "text_encoder": ((), CONTEXTS),
    "diffusion": (CONTEXTS, ("latent",)),
    "decoder": (("latent",), ("image",)),
}
"""What each stage takes and gives."""


class EndpointHandler:
    """The stage that its folder is named after."""

    def __init__(self, path: str = "") -> None:
        self._stage = Path(path).name
        self._takes, self._gives = TENSORS[self._stage]
        self._seconds = float(os.environ["STAND_IN_SECONDS"])

    def __call__(self, data: dict[str, Any]) -> str | dict[str, str]:
        texts = {name: encode_tensor(tensor) for name, tensor in self.tensors(data).items()}
        if self._stage == "text_encoder":
            return {f"{name}_b64str": text for name, text in texts.items()}
        return texts[self._gives[0]]

    def tensors(self, data: dict[str, Any]) -> Tensors:
        fields = Fields(data)
        batch = fields.integer("batch_size", 1, 1, MOST_IMAGES)
        if len(self._takes) == 1:
            fields.tensor("inputs", self._takes[0], np.float32, (batch, *SHAPES[self._takes[0]]))
        elif self._takes:
            fields.tensors("inputs", {name: (np.float32, (batch, *SHAPES[name])) for name in self._takes})
        time.sleep(self._seconds)
        return Tensors({name: _values((batch, *SHAPES[name])) for name in self._gives})

    def info(self) -> dict[str, Any]:
        shapes = {name: list(SHAPES[name]) for name in (*self._takes, *self._gives)}
        model = {"variant": "stand-in", "name": "Stand-in for Stable Diffusion 1.x", "hash": "0000000000"}
        return {"stage": self._stage, "model": model, "shapes": shapes, "extras": ["seed"]}


def _values(shape: Shape) -> np.ndarray[Any, Any]:
    """A picture's slow changes of brightness, or the numbers of any other tensor."""
    if shape[-1] != SHAPES["image"][-1]:
        return np.linspace(-3, 3, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    rows, columns = np.arange(shape[1])[:, None], np.arange(shape[2])[None]
    waves = [127 + 90 * np.sin(rows / (20 + 9 * channel) + columns / 31) for channel in range(3)]
    return np.broadcast_to(np.stack(waves, axis=-1).astype(np.uint8), shape)
