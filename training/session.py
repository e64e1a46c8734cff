"""A training run that has a time to spend, can be killed at any moment, and goes on where it was."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

SAVE_SECONDS = 120.0
LOG_STEPS = 50
Schedule = Callable[[float], float]
StateT = TypeVar("StateT")


def cosine(peak: float, flat: float = 0.0, floor: float = 0.02) -> Schedule:
    """Learning rate for a share of the time spent: flat at the peak, then a cosine to the floor's share."""

    def rate(share: float) -> float:
        late = max(0.0, share - flat) / (1 - flat)
        return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, late))) / 2)

    return rate


class Checkpoint:
    """A tree of arrays, and how long they were trained, in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, state: Any, seconds: float) -> None:
        """Replace the file in one step: a kill leaves the old one or the new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial.npz")
        arrays: dict[str, Any] = {str(i): np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(state))}
        np.savez(partial, **arrays, seconds=np.float64(seconds))
        os.replace(partial, self.path)

    def restore(self, state: StateT) -> tuple[StateT, float]:
        """The file's arrays in the form of `state`, and seconds trained; `state` and 0 without a file."""
        if not self.path.is_file():
            return state, 0.0
        leaves, form = jax.tree.flatten(state)
        with np.load(self.path) as file:
            kept = [jax.device_put(file[str(i)]) for i in range(len(leaves))]
            return jax.tree.unflatten(form, kept), float(file["seconds"])


class Session:
    """Times a run: gives the learning rate by the clock, logs, saves, and says when the time is spent."""

    def __init__(self, checkpoint: Checkpoint, minutes: float, schedule: Schedule, warmup: int = 100) -> None:
        self.checkpoint = checkpoint
        self.budget = minutes * 60
        self.schedule = schedule
        self.warmup = warmup
        self.log = checkpoint.path.with_suffix(".jsonl")

    def run(self, state: StateT, step: Callable[[StateT, float], tuple[StateT, jax.Array | float]]) -> StateT:
        """Make steps until the time is spent, that of earlier runs and of compiling included."""
        state, spent = self.checkpoint.restore(state)
        began = saved = time.monotonic()
        steps = 0
        while (seconds := spent + time.monotonic() - began) < self.budget:
            warm = min(1.0, (steps + 1) / self.warmup)
            state, loss = step(state, warm * self.schedule(seconds / self.budget))
            steps += 1
            if steps % LOG_STEPS == 0 or steps == 1:
                self._write(seconds, steps, float(loss))
            if time.monotonic() - saved > SAVE_SECONDS:
                self.checkpoint.save(state, seconds)
                saved = time.monotonic()
        if steps:
            self.checkpoint.save(state, seconds)
        return state

    def _write(self, seconds: float, steps: int, loss: float) -> None:
        line = json.dumps({"seconds": round(seconds, 1), "step": steps, "loss": round(loss, 5)})
        print(self.checkpoint.path.stem, line, flush=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as file:
            file.write(line + "\n")
