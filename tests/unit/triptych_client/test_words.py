"""How far a picture is, in words."""

import pytest

from triptych_client.words import describe_progress


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"state": "queued", "ahead": 2}, "diffusion: waiting, 2 before it"),
        ({"state": "waking"}, "diffusion: waking up"),
        (
            {"state": "running", "step": 3, "steps": 25, "seconds_left": 4.4},
            "diffusion step 3 of 25, 4 s left",
        ),
        ({"state": "running"}, "diffusion"),
    ],
)
def test_progress_is_described(said: dict[str, object], words: str) -> None:
    nothing = {"stage": "diffusion", "ahead": 0, "step": 0, "steps": 0, "seconds_left": None}
    assert describe_progress({**nothing, **said}) == words
