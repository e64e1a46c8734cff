"""Two real gateways over one Redis server, one of which is killed in the middle of its jobs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import StageUrl
from tests.e2e.pictures import opened, picture
from tests.e2e.test_jobs import LONG, SECRET, STAGES, Gateway, events, receiver, same, started
from tests.mortal import until
from tests.redis_server import running_redis

RUNNING = {**LONG, "steps": 120, "seed": 80}


@pytest.fixture(scope="module")
def shared(stage_url: StageUrl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of gateways with one store."""
    stages = {f"{stage.upper()}_URL": stage_url(stage) for stage in STAGES}
    with running_redis(tmp_path_factory.mktemp("redis")) as redis:
        yield {**stages, "JOBS_URL": redis.url, "JOBS_LEASE_SECONDS": "2"}


@pytest.fixture
def two(shared: dict[str, str], tmp_path: Path) -> Iterator[tuple[Gateway, Gateway]]:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with started(tmp_path / "one", shared) as one, started(tmp_path / "other", shared) as other:
        yield one, other


def test_a_job_is_handed_in_here_and_watched_there(two: tuple[Gateway, Gateway], gateway_url: str) -> None:
    one, other = two
    asked = {**LONG, "seed": 70}  # of its own: what was made before would be found again
    job = one.hand_in(**asked, preview_every=10)
    first = next(event for event in events(other, job) if event.json().get("step", 0) >= 20)
    rest = list(events(one, job, first.id))
    assert all(int(event.id) > int(first.id) for event in rest[:-1])
    assert {"progress", "preview"} <= {event.event for event in rest[:-1]}
    assert (rest[-1].event, rest[-1].id) == ("result", "end")
    there, here = other.picture(job), one.picture(job)
    assert same(opened(rest[-1].json()["images"][0]["data"]), there)
    assert same(here, there) and same(there, picture(gateway_url, **asked))
    running = one.hand_in(**{**LONG, "steps": 250, "seed": 71})
    until(lambda: other.look(running)["step"] >= 3, 30)
    ended = requests.delete(f"{other.url}{running['links']['job']}", timeout=30).json()
    assert ended["state"] == one.look(running)["state"] == "cancelled"


def test_no_job_is_lost_and_no_picture_differs_when_a_gateway_is_killed(
    shared: dict[str, str], tmp_path: Path, gateway_url: str
) -> None:
    with receiver() as (host, came):
        hooked = {**shared, "WEBHOOK_HOSTS": host}
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
        with started(tmp_path / "one", hooked) as one, started(tmp_path / "other", hooked) as other:
            webhook = {"url": f"http://{host}/done", "secret": SECRET}
            running = one.hand_in(**RUNNING, num_images=3, webhook=webhook)
            until(lambda: other.look(running)["step"] >= 30, 60)
            killed, left = (one, other) if _runs_a_job(one) else (other, one)
            drawn = one.hand_in(key="drawn", prompt="a dog on a pink background")
            killed.kill()
            assert left.hand_in(key="drawn", prompt="a dog on a pink background")["id"] == drawn["id"]
            assert same(left.picture(running), picture(gateway_url, **RUNNING))
            seed = left.look(drawn)["request"]["seed"]
            assert same(
                left.picture(drawn), picture(gateway_url, prompt="a dog on a pink background", seed=seed)
            )
            until(lambda: left.look(running)["webhook"] == "delivered", 30)
            stages = left.ask(running["links"]["result"]).json()["stages"]
    (call,) = [call for call in stages if call["stage"] == "diffusion"]
    assert call["resumed_at"] and call["resumed_at"][0] >= 5
    assert len(came) == 2  # of which the first was refused


def _runs_a_job(gateway: Gateway) -> bool:
    return "triptych_jobs_running 1.0" in gateway.ask("/metrics").text
