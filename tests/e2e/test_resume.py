"""Stages killed with kill -9 in the middle of many long requests: nothing is lost, no picture differs."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import StageUrl
from tests.e2e.mortal import diffusion, mortal_diffusion, picture
from tests.mortal import Mortal
from tests.running import running_gateway

REQUESTS = 32
STEPS = 20
EVERY = 5


@contextmanager
def gateway_of(stage_url: StageUrl, log: Path, *diffusion: str) -> Iterator[str]:
    with running_gateway(
        log,
        TEXT_ENCODER_URL=stage_url("text_encoder"),
        DIFFUSION_URLS=",".join(diffusion),
        INPAINTING_URL="",
        DECODER_URL=stage_url("decoder"),
        MAX_CONCURRENT_REQUESTS=str(REQUESTS),
        STATE_EVERY=str(EVERY),
    ) as server:
        yield server.url


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    with mortal_diffusion(tmp_path / "mortal.log") as stage:
        yield stage


def made(gateway: str, seed: int) -> dict[str, Any]:
    request = {"prompt": f"a {('red', 'blue')[seed % 2]} star at night", "seed": seed, "steps": STEPS}
    response = requests.post(f"{gateway}/v1/txt2img", json=request, timeout=240)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def undisturbed(stage_url: StageUrl, log: Path) -> list[bytes]:
    """Of a stage that nobody kills, in another gateway; what it made of these before it makes again."""
    with gateway_of(stage_url, log, stage_url("diffusion")) as gateway, ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda seed: picture(made(gateway, seed)), range(REQUESTS)))


def after_some(under_way: list[Future[dict[str, Any]]], count: int) -> None:
    """Returns once so many are done, the others being under way or waiting."""
    until = time.monotonic() + 120
    while sum(one.done() for one in under_way) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_when_one_of_two_stages_is_killed_the_other_goes_on_with_its_pictures(
    stage_url: StageUrl, mortal: Mortal, tmp_path: Path
) -> None:
    with ExitStack() as running:
        gateway = running.enter_context(
            gateway_of(stage_url, tmp_path / "gateway.log", mortal.url, stage_url("diffusion"))
        )
        pool = running.enter_context(ThreadPoolExecutor(REQUESTS))
        under_way = [pool.submit(made, gateway, seed) for seed in range(REQUESTS)]
        after_some(under_way, 6)
        mortal.kill()
        answers = [one.result() for one in under_way]
    lost = [diffusion(answer) for answer in answers if diffusion(answer)["attempts"] > 1]
    assert lost
    assert {call["replica"] for call in lost} == {stage_url("diffusion")}
    steps = [step for call in lost for step in call["resumed_at"]]
    assert all(step % EVERY == 0 and 0 < step < STEPS for step in steps)
    assert list(map(picture, answers)) == undisturbed(stage_url, tmp_path / "undisturbed.log")


def test_when_the_only_stage_is_killed_its_pictures_wait_until_it_is_back(
    stage_url: StageUrl, mortal: Mortal, tmp_path: Path
) -> None:
    count = 12
    with ExitStack() as running:
        gateway = running.enter_context(gateway_of(stage_url, tmp_path / "gateway.log", mortal.url))
        pool = running.enter_context(ThreadPoolExecutor(count))
        under_way = [pool.submit(made, gateway, seed) for seed in range(count)]
        after_some(under_way, 2)
        mortal.kill()
        threading.Timer(2, mortal.start).start()
        answers = [one.result() for one in under_way]
    assert any(diffusion(answer)["attempts"] > 1 for answer in answers)
    expected = undisturbed(stage_url, tmp_path / "undisturbed.log")[:count]
    assert list(map(picture, answers)) == expected
