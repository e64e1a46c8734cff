"""What is made of the answers of one, two and four replicas."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import page, plot, scaling

RECORD = {"waits": [1.0, 2.0, 3.0], "seconds": 20.0, "clients": 12, "shares": [2, 1], "load": 0.5}


def call(stage: str, replica: str, waiting: float = 0.0, computing: float = 0.0) -> dict[str, Any]:
    return {
        "stage": stage,
        "replica": replica,
        "seconds_waiting": waiting,
        "seconds_computing": computing,
    }


def test_what_a_replica_made_is_counted_for_the_diffusion_stage_alone() -> None:
    calls = [call("diffusion", "a"), call("diffusion", "b"), call("diffusion", "a"), call("decoder", "c")]
    assert scaling._shares(calls) == [2, 1]


def test_overhead_is_what_no_stage_had() -> None:
    answer = {"stages": [call("diffusion", "a", 0.5, 1.0), call("decoder", "b", 0.0, 0.25)]}
    assert scaling._overhead(2.0, answer) == pytest.approx(0.25)


def test_the_table_compares_with_one_replica_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    monkeypatch.setattr(page, "fill", lambda name, filled: written.append(filled))
    monkeypatch.setattr(plot, "lines", lambda *arguments: None)
    written: list[str] = []
    twice = RECORD | {"waits": RECORD["waits"] * 2}  # type: ignore[operator]
    scaling.write({"elsewhere/1": RECORD, "elsewhere/2": twice})
    rows = [line for line in written[0].splitlines() if line.startswith("| stand-ins")]
    assert "| 9.00 | 1.00 | 2.00 |" in rows[0]
    assert "| 18.0 | 2.00 | 2.00 |" in rows[1]
    assert "not measured" in rows[2]
