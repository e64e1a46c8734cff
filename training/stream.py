"""Endless new examples, drawn by other processes while the device trains."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.pool import Pool
from typing import NamedTuple, TypeVar

import numpy as np

from training.captions import varied_caption
from training.layouts import Layouts, layouts
from training.sprites import atlas, recolourable
from training.subjects import random_subject
from training.vocabulary import compact, used_tokens
from triptych.models.tiny import MAX_TOKENS
from triptych.tokenizer import encode

WORDINGS = 2
UNKNOWN_INSERTED = 0.12
QUEUED = 48
BatchT = TypeVar("BatchT")


class Examples(NamedTuple):
    """Layouts of n pictures, and captions of each as indices into the used tokens, int16 (n, 2, 77)."""

    layouts: Layouts
    tokens: np.ndarray


@contextmanager
def ahead(draw: Callable[[int, int], BatchT], count: int) -> Iterator[Iterator[BatchT]]:
    """An iterator that never ends over what `draw` makes of the count and a seed, in other processes."""
    processes = max(1, (os.cpu_count() or 2) - 2)
    context = multiprocessing.get_context("spawn")
    seeds = random.SystemRandom()

    def batches(pool: Pool) -> Iterator[BatchT]:
        waiting = [pool.apply_async(draw, (count, seeds.randrange(2**32))) for _ in range(QUEUED)]
        while True:
            yield waiting.pop(0).get()
            waiting.append(pool.apply_async(draw, (count, seeds.randrange(2**32))))

    # They must not take memory of the accelerator.
    with _environment(JAX_PLATFORMS="cpu"), context.Pool(processes) as pool:
        yield batches(pool)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def draw(count: int, seed: int) -> Examples:
    """So many examples of trained combinations."""
    rng = random.Random(seed)
    subjects = [random_subject(rng, recolourable()) for _ in range(count)]
    tokens = np.stack(
        [[caption_tokens(varied_caption(s, rng), rng) for _ in range(WORDINGS)] for s in subjects]
    )
    return Examples(layouts(subjects, atlas()[1], rng), tokens)


def caption_tokens(caption: str, rng: random.Random) -> np.ndarray:
    """The caption's tokens, int16 (77,); now and then with words put in that the model does not know."""
    tokens = compact(encode(caption))
    if rng.random() < UNKNOWN_INSERTED:
        words = int((tokens != tokens[-1]).sum())
        extra = [len(used_tokens())] * rng.randint(1, 2)
        tokens = np.insert(tokens, rng.randint(1, words), extra)[:MAX_TOKENS]
    return tokens
