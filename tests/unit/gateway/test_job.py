"""A stage that streams its steps: what it is told, what is made of its events, and how another goes on."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from tests.unit.gateway.conftest import StartGateway
from tests.unit.gateway.fakes import serving, wait_until
from tests.unit.gateway.streams import StreamingStage, event, streamed

Served = tuple[StreamingStage, str]


@pytest.fixture
def stage() -> Iterator[Served]:
    with streaming() as served:
        yield served


@pytest.fixture
def other() -> Iterator[Served]:
    with streaming() as served:
        yield served


@contextmanager
def streaming() -> Iterator[Served]:
    fake = StreamingStage("diffusion")
    with serving(fake.app()) as url:
        yield fake, url


@pytest.fixture
def gateway(start_gateway: StartGateway, stage: Served) -> httpx.Client:
    return start_gateway(diffusion_url=stage[1])


@pytest.fixture
def pair(start_gateway: StartGateway, stage: Served, other: Served) -> httpx.Client:
    """A gateway with two diffusion stages, of which the first is asked first."""
    return start_gateway(diffusion_url="", diffusion_urls=f"{stage[1]};{other[1]}")


def made(gateway: httpx.Client, **request: Any) -> dict[str, Any]:
    """What the diffusion stage did."""
    answer = gateway.post("/v1/txt2img", json={"prompt": "", "steps": 12, **request})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["stages"][1]
    return found


def failure(gateway: httpx.Client) -> dict[str, Any]:
    answer = gateway.post("/v1/txt2img", json={"prompt": "", "steps": 12})
    return {"status": answer.status_code, **answer.json()["error"]}


def test_a_stage_that_streams_is_told_what_it_announces(gateway: httpx.Client, stage: Served) -> None:
    evidence = made(gateway, num_images=2)
    (asked,) = stage[0].requests
    assert (asked["state_every"], asked["client"]) == (5, "127.0.0.1")
    assert len(asked["job_id"]) == 32
    assert sorted(asked["inputs"]) == ["context", "unconditional_context"]
    assert not {"preview_every", "resume"} & set(asked)
    assert stage[0].headers[-1]["accept"] == "text/event-stream;dtype=float32"
    assert 0.01 <= evidence["seconds_waiting"] < 1  # the stage's, and what the gateway waited before it
    assert evidence["seconds_computing"] == 0.02
    assert (evidence["cache_hits"], evidence["cache_misses"]) == (1, 2)
    assert evidence["bytes_received"] > 1000
    assert evidence["resumed_at"] == []


def test_requests_have_job_ids_of_their_own(gateway: httpx.Client, stage: Served) -> None:
    made(gateway)
    made(gateway)
    assert len({asked["job_id"] for asked in stage[0].requests}) == 2


def test_events_are_not_asked_for_where_there_is_no_use_for_them(
    start_gateway: StartGateway, stage: Served
) -> None:
    gateway = start_gateway(diffusion_url=stage[1], state_every=0)
    made(gateway)
    assert stage[0].headers[-1]["accept"] == "application/vnd.safetensors;dtype=float32"
    assert "state_every" not in stage[0].requests[0]
    list(streamed(gateway))
    assert stage[0].headers[-1]["accept"] == "text/event-stream;dtype=float32"


def test_work_that_is_soon_done_again_is_not_kept(start_gateway: StartGateway, stage: Served) -> None:
    gateway = start_gateway(diffusion_url=stage[1])
    streams = [(made(gateway, steps=steps), stage[0].headers[-1]["accept"])[1][:4] for steps in (12, 12, 240)]
    assert streams == ["text", "appl", "appl"]
    stage[0].handler_seconds = 1.0
    list(streamed(gateway, steps=12))
    made(gateway, steps=12)
    made(gateway, steps=11)
    accepts = [headers["accept"][:4] for headers in stage[0].headers[-2:]]
    assert accepts == ["text", "appl"]


def test_the_contract_alone_has_no_events(start_gateway: StartGateway, stage: Served) -> None:
    made(start_gateway(diffusion_url=stage[1], wire_format="base64"))
    assert stage[0].headers[-1]["accept"] == "*/*"


def test_a_connection_is_used_again_after_a_stream(gateway: httpx.Client, stage: Served) -> None:
    for _ in range(3):
        made(gateway)
    assert len(set(stage[0].ports)) == 1


def test_another_stage_goes_on_from_the_newest_state(
    pair: httpx.Client, stage: Served, other: Served
) -> None:
    stage[0].dies_at = 11
    evidence = made(pair)
    assert stage[0].steps == list(range(1, 12))
    assert other[0].steps == [11, 12]
    assert (evidence["replica"], evidence["attempts"], evidence["resumed_at"]) == (other[1], 2, [10])
    assert other[0].requests[0]["job_id"] == stage[0].requests[0]["job_id"]


def test_a_stage_that_stops_hands_its_work_on(pair: httpx.Client, stage: Served, other: Served) -> None:
    stage[0].fails_at = 7
    assert made(pair)["resumed_at"] == [5]
    assert other[0].steps == list(range(6, 13))


def test_a_stage_that_hangs_in_the_middle_is_not_waited_for_until_the_timeout(
    pair: httpx.Client, stage: Served, other: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.events.SILENCE_SECONDS", 0.3)
    stage[0].hangs_at = 7
    call = made(pair)
    assert (call["replica"], call["attempts"], call["resumed_at"]) == (other[1], 2, [5])


def test_the_same_stage_goes_on_where_there_is_no_other(gateway: httpx.Client, stage: Served) -> None:
    stage[0].dies_at = 6
    assert made(gateway)["resumed_at"] == [5]
    assert stage[0].steps == [*range(1, 7), *range(6, 13)]


def test_a_request_that_is_resumed_twice_says_both_steps(
    pair: httpx.Client, stage: Served, other: Served
) -> None:
    stage[0].dies_at, other[0].dies_at = 6, 11
    assert made(pair)["resumed_at"] == [5, 10]


def test_before_the_first_state_there_is_only_the_beginning(
    pair: httpx.Client, stage: Served, other: Served
) -> None:
    stage[0].dies_at = 4
    assert made(pair)["resumed_at"] == []
    assert other[0].steps == list(range(1, 13))


def test_a_stage_that_refuses_the_state_begins_from_the_beginning(
    pair: httpx.Client, stage: Served, other: Served
) -> None:
    stage[0].dies_at = 6
    other[0].refuses = "resume must be a state of this sampler; got another"
    evidence = made(pair)
    assert (evidence["replica"], evidence["resumed_at"]) == (other[1], [])
    assert other[0].steps == list(range(1, 13))


@pytest.mark.parametrize("change", ["another model", "no resume"])
def test_a_state_goes_only_to_a_stage_that_can_use_it(
    pair: httpx.Client, stage: Served, other: Served, change: str
) -> None:
    announced = other[0].info()
    if change == "another model":
        announced["model"] = {**announced["model"], "hash": "fedcba9876"}
    else:
        announced["extras"].remove("resume")
    other[0].responses["/info"] = lambda: JSONResponse(announced)
    stage[0].dies_at = 6
    assert made(pair)["resumed_at"] == []
    assert "resume" not in other[0].requests[0]


@pytest.mark.parametrize(
    ("status", "expected", "kind"),
    [(500, 502, "StageFailed"), (499, 502, "StageFailed")],
)
def test_an_error_at_the_end_of_a_stream_is_what_the_status_would_be(
    start_gateway: StartGateway, stage: Served, status: int, expected: int, kind: str
) -> None:
    stage[0].fails_at, stage[0].status = 3, status
    error = failure(start_gateway(diffusion_url=stage[1], stage_attempts=1))
    assert (error["status"], error["type"], error["stage"]) == (expected, kind, "diffusion")
    assert f"answered {status}: the server stops" in error["message"]


def test_a_stage_that_is_stopped_midway_says_so(start_gateway: StartGateway, stage: Served) -> None:
    stage[0].fails_at = 3
    error = failure(start_gateway(diffusion_url=stage[1], stage_attempts=1, restart_timeout=0))
    assert (error["status"], error["type"]) == (503, "StageUnavailable")
    assert "stopped midway: the server stops" in error["message"]


def test_what_somebody_cancelled_at_the_stage_is_not_done_elsewhere(
    pair: httpx.Client, stage: Served, other: Served
) -> None:
    stage[0].fails_at, stage[0].status = 3, 499
    assert "Somebody cancelled it there" in failure(pair)["message"]
    assert other[0].requests == []


def test_a_stream_that_ends_without_an_answer_is_the_stages_failure(
    start_gateway: StartGateway, stage: Served
) -> None:
    stage[0].mute = True
    error = failure(start_gateway(diffusion_url=stage[1], stage_attempts=1))
    assert (error["status"], error["type"]) == (502, "StageFailed")
    assert "broke off: the stream ended before the answer" in error["message"]


@pytest.mark.parametrize(
    "chatter",
    [
        pytest.param(event("state", {"step": 1}), id="a state without one"),
        pytest.param("event: answer\ndata: {\n\n", id="no JSON"),
        pytest.param(
            event("answer", {"tensors": "AAAA", "timing": {"queue": 0, "handler": 0}}), id="no tensors"
        ),
        pytest.param(
            event("answer", {"tensors": "AAAA", "timing": {"queue": -1, "handler": 0}}), id="no time"
        ),
    ],
)
def test_an_event_that_makes_no_sense_is_the_stages_failure(
    start_gateway: StartGateway, stage: Served, chatter: str
) -> None:
    stage[0].chatter = chatter
    error = failure(start_gateway(diffusion_url=stage[1], stage_attempts=1))
    assert (error["status"], error["type"]) == (502, "StageFailed")
    assert "answered what cannot be used" in error["message"]


def test_events_of_other_names_and_comments_are_passed_over(gateway: httpx.Client, stage: Served) -> None:
    stage[0].chatter = f": still here\n\n{event('weather', {'rain': True})}\n\n"
    assert made(gateway)["attempts"] == 1


def test_an_event_is_bounded_and_the_stream_is_not(start_gateway: StartGateway, stage: Served) -> None:
    gateway = start_gateway(diffusion_url=stage[1], stage_attempts=1, stage_answer_bytes=2**20)
    stage[0].handler_seconds = 10
    states = event("state", {"step": 1, "state": "A" * 400_000})
    stage[0].chatter = states * 10
    assert made(gateway)["bytes_received"] > 4_000_000
    stage[0].chatter = event("state", {"step": 1, "state": "A" * 1_200_000})
    error = failure(gateway)
    assert (error["status"], error["type"]) == (502, "StageFailed")
    assert "more than 1048576 bytes" in error["message"]


def test_a_line_without_end_is_cut_off(start_gateway: StartGateway, stage: Served) -> None:
    gateway = start_gateway(diffusion_url=stage[1], stage_attempts=1, stage_answer_bytes=2**20)
    stage[0].chatter = ":" + "A" * 3_000_000
    assert "more than 1048576 bytes" in failure(gateway)["message"]


def test_a_client_that_leaves_ends_the_stages_stream(gateway: httpx.Client, stage: Served) -> None:
    stage[0].pause = 0.5
    with pytest.raises(httpx.ReadTimeout):
        gateway.post("/v1/txt2img", json={"prompt": "", "steps": 100}, timeout=0.8)
    wait_until(lambda: stage[0].left == 1)
    assert len(stage[0].steps) < 10


def test_many_streams_at_once_keep_apart(gateway: httpx.Client, stage: Served) -> None:
    stage[0].pause = 0.01
    with ThreadPoolExecutor(6) as pool:
        all_of_them = list(pool.map(lambda steps: made(gateway, steps=steps), range(3, 9)))
    assert [evidence["attempts"] for evidence in all_of_them] == [1] * 6


def test_a_sole_stage_that_goes_midway_is_waited_for_and_goes_on_where_it_was(
    start_gateway: StartGateway, stage: Served
) -> None:
    fake, url = stage
    fake.dies_at = 8
    asked: list[int] = []

    def starting() -> Response | None:
        """503 to what comes after it went, for longer than the usual attempts last."""
        asked.extend(fake.steps[-1:])
        return JSONResponse({"error": "loading"}, 503) if asked.count(8) in range(1, 6) else None

    fake.proxy = starting
    call = made(start_gateway(diffusion_url=url, state_every=5, stage_attempts=2))
    assert call["resumed_at"] == [5]
    assert call["attempts"] > 5
    assert fake.steps == [*range(1, 9), *range(6, 13)]


def test_a_stage_that_is_not_there_to_begin_with_is_not_waited_for(start_gateway: StartGateway) -> None:
    began = time.monotonic()
    failure(start_gateway(diffusion_url="http://127.0.0.1:1", stage_attempts=2, restart_timeout=60))
    assert time.monotonic() - began < 20


def test_a_stage_is_waited_for_no_longer_than_the_setting_says(
    start_gateway: StartGateway, stage: Served
) -> None:
    fake, url = stage
    fake.dies_at = 3
    gateway = start_gateway(diffusion_url=url, stage_attempts=1, restart_timeout=0)
    assert failure(gateway)["type"] == "StageFailed"
