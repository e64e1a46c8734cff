"""A result is the same after it was stored."""

import numpy as np
import pytest

from gateway.errors import InvalidRequest
from gateway.images import Picture
from gateway.jobs.results import pack_result, unpack_result
from gateway.requests import GenerateResult, StageCall
from tests.unit.gateway.pictures import noise

CALL = StageCall("decoder", "http://a", 2, [5], 1.5, 0.5, None, None, 10, 20, "tiny", "0123")


def result(*pictures: Picture) -> GenerateResult:
    return GenerateResult(
        pictures=list(pictures),
        seeds=[7, None][: len(pictures)],
        steps=25,
        guidance_scale=4.5,
        size=(24, 16),
        model="tiny",
        model_hash=None,
        calls=[CALL],
        seconds=1.25,
        warnings=["ein schöner Tag"],
    )


def test_pixels_profiles_and_all_that_was_told_come_back() -> None:
    stored = result(Picture(noise(24, 16), b"a profile"), Picture(noise(24, 16, 4)))
    back = unpack_result(pack_result(stored), 24 * 16)
    for before, after in zip(stored.pictures, back.pictures, strict=True):
        assert np.array_equal(before.pixels, after.pixels)
        assert before.profile == after.profile
    assert {**vars(back), "pictures": []} == {**vars(stored), "pictures": []}


def test_a_picture_of_more_pixels_than_allowed_is_not_read() -> None:
    with pytest.raises(InvalidRequest, match="at most 100 pixels"):
        unpack_result(pack_result(result(Picture(noise(24, 16)))), 100)
