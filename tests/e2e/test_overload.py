"""Twice as many clients as a gateway has places, none of whom waits as long as it is told to."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StageUrl
from tests.e2e.pictures import background, picture
from tests.faults.client import asking, summary
from tests.running import running_gateway

PLACES = 2
SECONDS = 10


@pytest.fixture
def gateway(stage_url: StageUrl, tmp_path: Path) -> Iterator[str]:
    stages = {f"{stage.upper()}_URL": stage_url(stage) for stage in ("text_encoder", "diffusion", "decoder")}
    environment = {**stages, "INPAINTING_URL": "", "MAX_CONCURRENT_REQUESTS": str(PLACES)}
    with running_gateway(tmp_path / "gateway.log", **environment) as server:
        yield server.url


def test_too_many_get_a_picture_or_a_time_to_come_back_and_the_next_gets_its_picture(gateway: str) -> None:
    with asking(gateway, "diffusion", clients=2 * PLACES) as answers:
        time.sleep(SECONDS)
    assert {answer.status for answer in answers} == {200, 429}, summary(answers)
    for refused in (answer for answer in answers if answer.status == 429):
        assert int(refused.retry_after) >= 1, refused
    assert background(picture(gateway, prompt="a red apple on a blue background")) == "blue"
