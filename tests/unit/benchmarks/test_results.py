"""Finished trials are not run again."""

import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks.results import Results, ratio
from benchmarks.trial import Record, Trial

TRIAL = Trial("diffusers/decoder", "module:function", {"repeats": 5})


def record(**values: Any) -> Record:
    return {"trial": TRIAL.name, "arguments": {"repeats": 5}, **values}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def test_what_is_finished_is_there_for_the_next_run(path: Path) -> None:
    Results(path).add(record(seconds=[1.0]))
    assert Results(path).of(TRIAL) == record(seconds=[1.0])


def test_the_latest_counts(path: Path) -> None:
    results = Results(path)
    results.add(record(seconds=[1.0]))
    results.add(record(seconds=[2.0]))
    assert results.latest([TRIAL]) == {TRIAL.name: record(seconds=[2.0])}


def test_other_arguments_are_another_measurement(path: Path) -> None:
    results = Results(path)
    results.add(record(seconds=[1.0]))
    assert results.of(Trial(TRIAL.name, TRIAL.target, {"repeats": 1})) is None


def test_a_failure_is_not_finished_but_is_told(path: Path) -> None:
    results = Results(path)
    results.add(record(error="killed"))
    assert results.of(TRIAL) is None
    assert results.latest([TRIAL])[TRIAL.name]["error"] == "killed"


def test_a_failure_does_not_hide_what_was_finished_before(path: Path) -> None:
    results = Results(path)
    results.add(record(seconds=[1.0]))
    results.add(record(error="killed"))
    assert "error" not in results.latest([TRIAL])[TRIAL.name]


def test_a_ratio_above_one_is_faster_than_the_other() -> None:
    assert ratio(10.0, 4.0) == 2.5
    assert math.isnan(ratio(None, 4.0))
