"""Layouts to pictures, many at once, on whatever device JAX has."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from training.layouts import Layouts
from training.scenes import scenes
from training.sprites import SIDE, atlas


@dataclass(frozen=True)
class Artwork:
    """The sprites, uint8 (n, 128, 128, 4), and the scenes, uint8 (m, 128, 128, 3), on the device."""

    sprites: jax.Array
    scenes: jax.Array

    @staticmethod
    def load() -> Artwork:
        """All of it, as `training.sprites` and `training.scenes` make it."""
        return Artwork(jax.device_put(np.asarray(atlas()[0])), jax.device_put(scenes()))


jax.tree_util.register_dataclass(Artwork, ["sprites", "scenes"], [])


def render(artwork: Artwork, layouts: Layouts) -> jax.Array:
    """Images, float32 (n, 128, 128, 3) in [-1, 1]."""
    plain = jnp.broadcast_to(layouts.colours[:, None, None, :], (len(layouts.colours), SIDE, SIDE, 3))
    drawn = artwork.scenes[jnp.maximum(layouts.scenes, 0)].astype(jnp.float32)
    image = jnp.where(layouts.scenes[:, None, None, None] >= 0, drawn, plain)
    for number in range(2):
        sprites = artwork.sprites[layouts.sprites[:, number]].astype(jnp.float32)
        placed = jax.vmap(_placed)(sprites, layouts.centres[:, number], layouts.sides[:, number])
        placed = jnp.clip(placed, 0, 255)
        image = placed[..., :3] + image * (1 - placed[..., 3:] / 255)
    return jnp.clip(image, 0, 255) / 127.5 - 1


def _placed(sprite: jax.Array, centre: jax.Array, side: jax.Array) -> jax.Array:
    scale = jnp.broadcast_to(side / SIDE, (2,))
    shape = (SIDE, SIDE, 4)
    return jax.image.scale_and_translate(
        sprite, shape, (0, 1), scale, centre - side / 2, "cubic", antialias=True
    )


rendered = jax.jit(render)


def pictures(artwork: Artwork, layouts: Layouts, rows: int = 64) -> np.ndarray:
    """uint8 (n, 128, 128, 3)."""
    parts = []
    for start in range(0, len(layouts.scenes), rows):
        part = Layouts(*(column[start : start + rows] for column in layouts))
        parts.append(np.asarray((rendered(artwork, part) + 1) * 127.5).round().astype(np.uint8))
    return np.concatenate(parts)
