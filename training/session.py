"""A training run that has a time to spend, can be killed at any moment, and goes on where it was."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

SAVE_SECONDS = 60.0
LOG_STEPS = 50
Schedule = Callable[[float], float]


def cosine(peak: float, flat: float = 0.0, floor: float = 0.02) -> Schedule:
    """Learning rate for a share of the time spent: flat at the peak, then a cosine to the floor's share."""

    def rate(share: float) -> float:
        late = max(0.0, share - flat) / (1 - flat)
        return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * min(1.0, late))) / 2)

    return rate


class Checkpoint:
    """All variables of a model and its optimizer, and how long they were trained, in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, model: keras.Model, seconds: float) -> None:
        """Replace the file in one step: a kill leaves the old one or the new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial.npz")
        arrays: dict[str, Any] = {str(i): array_of(v) for i, v in enumerate(_variables(model))}
        np.savez(partial, **arrays, seconds=np.float64(seconds))
        os.replace(partial, self.path)

    def restore(self, model: keras.Model) -> float:
        """Load into a compiled model; returns the seconds trained, 0 where there is no file."""
        model.optimizer.build(model.trainable_variables)
        if not self.path.is_file():
            return 0.0
        with np.load(self.path) as file:
            for i, variable in enumerate(_variables(model)):
                variable.assign(file[str(i)])
            return float(file["seconds"])

    def restore_average(self, model: keras.Model) -> float:
        """As `restore`, leaving the moving average of the weights in the model."""
        seconds = self.restore(model)
        model.optimizer.finalize_variable_values(model.trainable_variables)
        return seconds


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def array_of(variable: Any) -> np.ndarray:
    """The variable's value now, as an array of its own."""
    # Through a tensor: TensorFlow's variables warn when numpy asks them for an array.
    return np.array(keras.ops.convert_to_numpy(keras.ops.copy(variable.value)))


class Session(keras.callbacks.Callback):
    """Sets the learning rate by the clock, saves every minute, logs, and stops when the time is spent."""

    def __init__(self, checkpoint: Checkpoint, minutes: float, schedule: Schedule, warmup: int = 60) -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self.budget = minutes * 60
        self.schedule = schedule
        self.warmup = warmup
        self.seconds = 0.0
        self.steps = 0
        self.log = checkpoint.path.with_suffix(".jsonl")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.seconds = self.saved = self.checkpoint.restore(self.model)
        self.last = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        warm = min(1.0, (int(self.model.optimizer.iterations) + 1) / self.warmup)
        self.model.optimizer.learning_rate = warm * self.schedule(self.seconds / self.budget)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        now = time.monotonic()
        self.seconds, self.last = self.seconds + now - self.last, now
        self.steps += 1
        if self.steps % LOG_STEPS == 0:
            self._write(logs or {})
        if self.seconds - self.saved > SAVE_SECONDS:
            self._save()
        if self.seconds >= self.budget:
            self._save()
            self.model.stop_training = True

    def _save(self) -> None:
        self.checkpoint.save(self.model, self.seconds)
        self.saved = self.seconds

    def _write(self, logs: dict[str, Any]) -> None:
        line = {"seconds": round(self.seconds, 1), "step": int(self.model.optimizer.iterations)}
        line |= {name: round(float(value), 5) for name, value in logs.items()}
        with self.log.open("a") as file:
            file.write(json.dumps(line) + "\n")


def run(model: keras.Model, batches: keras.utils.PyDataset, session: Session) -> None:
    """Train until the session's time is spent; afterwards the model has the average of its weights."""
    session.checkpoint.path.parent.mkdir(parents=True, exist_ok=True)
    model.optimizer.build(model.trainable_variables)
    if session.checkpoint.restore(model) >= session.budget:
        model.optimizer.finalize_variable_values(model.trainable_variables)
        return
    model.fit(batches, epochs=1_000_000, verbose=2, callbacks=[session])
