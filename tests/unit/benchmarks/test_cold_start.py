"""A start is divided into phases."""

import pytest

from benchmarks.cold_start import PHASES, phase_seconds


def test_a_phase_without_an_end_of_its_own_counts_in_the_next() -> None:
    marks = {"imported": 3.0, "filled": 5.5, "compiled": 9.0, "first": 9.5}
    record = {"marks": {name: {"seconds": seconds} for name, seconds in marks.items()}}
    seconds = dict(zip(PHASES, phase_seconds(record), strict=True))
    assert seconds == {"imported": 3, "built": 0, "filled": 2.5, "compiled": 3.5, "first": 0.5}
    assert sum(seconds.values()) == pytest.approx(9.5)
