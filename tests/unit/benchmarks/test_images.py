"""A whole picture is measured, or lies on the line through shorter ones."""

import math

import pytest

from benchmarks.images import whole_picture

FIXED, STEP = 10.0, 6.0


def seconds(*steps: int) -> dict[str, list[float]]:
    return {str(count): [FIXED + STEP * count + error for error in (0.0, -0.5, 0.9)] for count in steps}


def test_a_picture_of_more_steps_lies_on_the_line() -> None:
    assert whole_picture(seconds(2, 5), 25) == pytest.approx((STEP, FIXED + 25 * STEP))


def test_a_picture_that_was_measured_is_not_computed() -> None:
    measured = {**seconds(2, 5), "25": [170.0]}
    assert whole_picture(measured, 25)[1] == 170


def test_one_number_of_steps_makes_no_line() -> None:
    step, whole = whole_picture(seconds(25), 25)
    assert math.isnan(step)
    assert whole == FIXED + 25 * STEP
