"""Finished trials, kept as JSON lines so that a benchmark goes on where it was stopped."""

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path

from benchmarks.trial import Record, Trial


class Results:
    """The records of trials in a file; the latest of a trial counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records = self._read()

    def of(self, trial: Trial) -> Record | None:
        """The latest finished record of this trial with these very arguments, or None."""
        return next(
            (record for record in reversed(self._records) if trial.made(record) and "error" not in record),
            None,
        )

    def add(self, record: Record) -> None:
        """Keep this record, from now on and in the file, which is replaced in one step."""
        self._records.append(record)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        partial.write_text("".join(f"{json.dumps(one)}\n" for one in self._records))
        os.replace(partial, self._path)

    def latest(self, trials: Iterable[Trial]) -> dict[str, Record]:
        """By name, in their order: the finished record of each trial, else that of its last failure."""
        found = {trial.name: self.of(trial) or self._failure(trial) for trial in trials}
        return {name: record for name, record in found.items() if record is not None}

    def _failure(self, trial: Trial) -> Record | None:
        return next((record for record in reversed(self._records) if trial.made(record)), None)

    def _read(self) -> list[Record]:
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_text().splitlines()]


def ratio(theirs: float | None, ours: float | None) -> float:
    """How many times `ours` goes into `theirs`: above 1 is faster; NaN where one was not measured."""
    return theirs / ours if theirs and ours else math.nan
