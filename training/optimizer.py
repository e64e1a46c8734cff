"""Muon (Jordan et al., 2024) for inner kernels and AdamW for the rest, as functions over a list of arrays.

Keras' and optax' Muon go through a model kernel by kernel, each with fifteen small matrix products; here
kernels of one shape are stacked and orthogonalised together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

MOMENTUM = 0.95
ADAM_BETAS = (0.9, 0.99)
CLIP = 1.0
RMS = 0.2
"""Of an update's entries, as AdamW's are: then one learning rate does for both."""
# First and last layers, embeddings, and what mixes the latent's channels are left to AdamW.
ADAM_LAYERS = ("entry", "exit/", "rgb", "quant", "embedding", "downsample_0")
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
Arrays = list[jax.Array]


class State(NamedTuple):
    """First moments of all arrays, second moments (empty for Muon's), and steps made."""

    first: Arrays
    second: Arrays
    steps: jax.Array


def uses_muon(path: str, shape: Sequence[int]) -> bool:
    """Whether the variable is an inner kernel."""
    return len(shape) >= 2 and not any(name in path for name in ADAM_LAYERS)


def start(values: Arrays, muon: Sequence[bool]) -> State:
    """The state before the first step; `muon` says of each array whether it is Muon's."""
    second = [
        jnp.zeros((0,)) if orthogonal else jnp.zeros_like(v)
        for v, orthogonal in zip(values, muon, strict=True)
    ]
    return State([jnp.zeros_like(value) for value in values], second, jnp.zeros((), jnp.int32))


def step(
    values: Arrays, gradients: Arrays, state: State, muon: Sequence[bool], rate: jax.Array, decay: float
) -> tuple[Arrays, State]:
    """One step at a learning rate, the gradient's norm clipped to 1; weight decay is of Muon's kernels."""
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in gradients))
    gradients = [g * jnp.minimum(1.0, CLIP / (norm + 1e-6)) for g in gradients]
    steps = state.steps + 1
    first, second, updates = list(state.first), list(state.second), list(gradients)
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, (gradient, orthogonal) in enumerate(zip(gradients, muon, strict=True)):
        if orthogonal:
            first[i] = MOMENTUM * first[i] + (1 - MOMENTUM) * gradient
            updates[i] = (1 - MOMENTUM) * gradient + MOMENTUM * first[i]
            groups[_matrix(updates[i])].append(i)
        else:
            first[i], second[i], updates[i] = _adam(gradient, first[i], second[i], steps)
    for shape, members in groups.items():
        stacked = jnp.stack([updates[i].reshape(shape) for i in members])
        for i, made in zip(members, _orthogonal(stacked), strict=True):
            updates[i] = made.reshape(values[i].shape) * (RMS * max(shape) ** 0.5)
    moved = [
        value * (1 - rate * decay * orthogonal) - rate * update
        for value, update, orthogonal in zip(values, updates, muon, strict=True)
    ]
    return moved, State(first, second, steps)


def _matrix(kernel: jax.Array) -> tuple[int, int]:
    """A convolution's kernel as a matrix from its window to its filters."""
    return kernel.size // kernel.shape[-1], kernel.shape[-1]


def _adam(
    gradient: jax.Array, first: jax.Array, second: jax.Array, steps: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    one, two = ADAM_BETAS
    first = one * first + (1 - one) * gradient
    second = two * second + (1 - two) * jnp.square(gradient)
    update = first / (1 - one**steps) / (jnp.sqrt(second / (1 - two**steps)) + 1e-8)
    return first, second, update


def _orthogonal(stacked: jax.Array) -> jax.Array:
    """Nearly the nearest orthogonal matrices, by five steps of Newton and Schulz in bfloat16."""
    wide = stacked.shape[1] < stacked.shape[2]
    x = (stacked if wide else stacked.mT).astype(jnp.bfloat16)
    x = x / (jnp.sqrt(jnp.sum(jnp.square(x.astype(jnp.float32)), (1, 2), keepdims=True)) + 1e-7).astype(
        x.dtype
    )
    a, b, c = _NEWTON_SCHULZ

    def closer(_: int, x: jax.Array) -> jax.Array:
        square = x @ x.mT
        return a * x + (b * square + c * square @ square) @ x

    x = jax.lax.fori_loop(0, 5, closer, x).astype(jnp.float32)
    return x if wide else x.mT
