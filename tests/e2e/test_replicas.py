"""A stage in two places: one of them is killed in the middle of many requests, and comes back."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import StageUrl
from tests.e2e.mortal import RESTART_SECONDS, diffusion, mortal_diffusion, picture
from tests.mortal import Mortal
from tests.running import running_gateway

REQUESTS = 200
AT_ONCE = 6
BEFORE_THE_KILL = 60
"""So many pictures are done before one of the two is killed."""


@pytest.fixture
def stack(stage_url: StageUrl, tmp_path: Path) -> Iterator[tuple[str, str, Mortal]]:
    """A gateway with two diffusion stages: its address, that of the one that stays, the other."""
    with ExitStack() as running:
        stays = stage_url("diffusion")
        mortal = running.enter_context(mortal_diffusion(tmp_path / "mortal.log"))
        gateway = running.enter_context(
            running_gateway(
                tmp_path / "gateway.log",
                TEXT_ENCODER_URL=stage_url("text_encoder"),
                DIFFUSION_URLS=f"{mortal.url},{stays}",
                INPAINTING_URL="",
                DECODER_URL=stage_url("decoder"),
            )
        )
        yield gateway.url, stays, mortal


def made(gateway: str, seed: int) -> dict[str, Any]:
    request = {
        "prompt": f"a red apple on a {('blue', 'white')[seed % 2]} background",
        "seed": seed,
        "steps": 2,
    }
    response = requests.post(f"{gateway}/v1/txt2img", json=request, timeout=120)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_no_picture_is_lost_when_a_replica_is_killed_and_it_is_used_again_when_it_is_back(
    stack: tuple[str, str, Mortal],
) -> None:
    gateway, stays, mortal = stack
    done = threading.Semaphore(0)

    def make(seed: int) -> dict[str, Any]:
        answer = made(gateway, seed)
        done.release()
        return answer

    with ThreadPoolExecutor(AT_ONCE) as pool:
        under_way = [pool.submit(make, seed) for seed in range(REQUESTS)]
        for _ in range(BEFORE_THE_KILL):
            assert done.acquire(timeout=60)
        mortal.kill()
        answers = [one.result() for one in under_way]

    assert {diffusion(answer)["replica"] for answer in answers} == {stays, mortal.url}
    repeated = [answer for answer in answers if diffusion(answer)["attempts"] > 1]
    assert repeated
    assert {diffusion(answer)["replica"] for answer in repeated} == {stays}
    for answer in answers:
        assert [call["attempts"] for call in answer["stages"] if call["stage"] != "diffusion"] == [1, 1]

    mortal.start()
    mortal.wait()
    until = time.monotonic() + RESTART_SECONDS
    while diffusion(made(gateway, 0))["replica"] != mortal.url:
        assert time.monotonic() < until, "the replica that came back was not used"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        undisturbed = list(pool.map(lambda seed: made(gateway, seed), range(REQUESTS)))
    assert all(diffusion(answer)["attempts"] == 1 for answer in undisturbed)
    assert {diffusion(answer)["replica"] for answer in undisturbed} == {stays, mortal.url}
    assert list(map(picture, answers)) == list(map(picture, undisturbed))
