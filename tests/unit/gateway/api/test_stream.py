"""Progress over real HTTP: what a client sees while its picture is made, and what its leaving means."""

import base64
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

from gateway.api import stream as dialect
from gateway.app import create_app
from gateway.settings import Settings
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import cold, serving, wait_until
from tests.unit.gateway.pictures import noise, opened, text_of, white_box
from tests.unit.gateway.streams import STREAM, Event, StreamingStage, events_of, streamed

APPLE = {"prompt": "a red apple", "steps": 4}


@pytest.fixture
def stage() -> StreamingStage:
    return StreamingStage("diffusion", pause=0.02)


@pytest.fixture
def url(stage: StreamingStage) -> Iterator[str]:
    with serving(stage.app()) as url:
        yield url


@pytest.fixture
def gateway(start_gateway: StartGateway, url: str) -> httpx.Client:
    return start_gateway(diffusion_url=url)


def of(events: list[Event], name: str) -> list[dict[str, Any]]:
    return [data for kind, data in events if kind == name]


def test_a_picture_is_watched_from_stage_to_stage(gateway: httpx.Client) -> None:
    events = list(streamed(gateway, steps=4))
    progress = of(events, "progress")
    assert set(progress[0]) == {"stage", "state", "step", "steps", "seconds_left", "ahead"}
    stages = list(dict.fromkeys((one["stage"], one["state"]) for one in progress))
    assert stages == [
        ("text_encoder", "running"),
        ("diffusion", "queued"),
        ("diffusion", "running"),
        ("decoder", "running"),
    ]
    running = [one for one in progress if one["stage"] == "diffusion"]
    assert (running[0]["ahead"], running[0]["steps"]) == (1, 4)
    assert (running[-1]["step"], running[-1]["seconds_left"]) == (4, 0.5)
    assert of(events, "preview") == []


def test_the_result_is_the_last_event_and_the_json_answer(gateway: httpx.Client) -> None:
    answer = gateway.post("/v1/txt2img", json={**APPLE, "seed": 1}).json()
    events = list(streamed(gateway, steps=4, seed=1))
    assert [name for name, _ in events].count("result") == 1
    name, result = events[-1]
    assert name == "result"
    assert set(result) == set(answer)
    assert result["images"] == answer["images"]
    assert opened(result["images"][0]["data"]).size == (64, 64)


def test_previews_come_as_often_as_they_are_asked_for(gateway: httpx.Client, stage: StreamingStage) -> None:
    events = list(streamed(gateway, steps=6, preview_every=2, num_images=2))
    previews = of(events, "preview")
    assert [preview["step"] for preview in previews] == [2, 4, 6]
    assert all(len(preview["images"]) == 2 for preview in previews)
    assert base64.b64decode(previews[0]["images"][0]).startswith(b"\x89PNG")
    assert stage.requests[0]["preview_every"] == 2


def test_stages_without_events_tell_when_they_begin(start_gateway: StartGateway, fakes: Fakes) -> None:
    for fake in fakes.values():
        fake.plain = True
    told = [(one["stage"], one["state"]) for one in of(list(streamed(start_gateway())), "progress")]
    assert ("decoder", "running") in told
    assert {state for _, state in told} == {"running"}


def test_an_endpoint_that_wakes_is_told(start_gateway: StartGateway, fakes: Fakes) -> None:
    fakes["decoder"].plain = True
    left = iter(range(3))
    fakes["decoder"].proxy = lambda: cold() if next(left, None) is not None else None
    told = of(list(streamed(start_gateway())), "progress")
    assert ("decoder", "waking") in [(one["stage"], one["state"]) for one in told]


@pytest.mark.parametrize("path", ["/v1/inpaint", "/v1/img2img"])
def test_work_on_pictures_streams_too(
    start_gateway: StartGateway, fakes: Fakes, url: str, stage: StreamingStage, path: str
) -> None:
    fakes["decoder"].extras, stage.extras = ["task"], ["strength"]
    request: dict[str, Any] = {"image": text_of(noise(64, 64))}
    if path == "/v1/inpaint":
        request["mask"] = text_of(white_box(64, 64, 8, 8, 32, 32))
    events = list(streamed(start_gateway(diffusion_url=url), path, **request))
    assert events[-1][0] == "result"


def test_a_form_streams_too(start_gateway: StartGateway, fakes: Fakes) -> None:
    files = {"image": base64.b64decode(text_of(noise(64, 64)))}
    files["mask"] = base64.b64decode(text_of(white_box(64, 64, 8, 8, 32, 32)))
    with connect_sse(start_gateway(), "POST", "/v1/inpaint", data={"prompt": "a cat"}, files=files) as source:
        assert list(events_of(source))[-1][0] == "result"


def test_what_goes_wrong_on_the_way_is_the_last_event(gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["decoder"].responses["/"] = cold
    fakes["decoder"].plain = True
    answer = gateway.post("/v1/txt2img", json={**APPLE, "steps": 9999})
    name, error = list(streamed(gateway, steps=9999))[-1]
    assert name == "error"
    assert error["status"] == answer.status_code == 422
    assert {**error["error"], "request_id": ""} == {**answer.json()["error"], "request_id": ""}


def test_a_body_at_fault_is_answered_before_a_stream_begins(gateway: httpx.Client) -> None:
    answer = gateway.post("/v1/txt2img", json={"steps": 0}, headers=STREAM)
    assert answer.status_code == 422
    assert answer.json()["error"]["type"] == "InvalidRequest"


def test_too_many_are_refused_before_a_stream_begins(
    start_gateway: StartGateway, url: str, stage: StreamingStage
) -> None:
    stage.pause = 0.3
    gateway = start_gateway(diffusion_url=url, max_concurrent_requests=1)
    with connect_sse(gateway, "POST", "/v1/txt2img", json=APPLE) as source:
        events = events_of(source)
        next(events)
        assert gateway.post("/v1/txt2img", json=APPLE, headers=STREAM).status_code == 429
        assert list(events)[-1][0] == "result"
    wait_until(lambda: gateway.post("/v1/txt2img", json=APPLE).status_code == 200)


def test_a_stream_is_not_kept_by_caches_or_proxies(gateway: httpx.Client) -> None:
    with connect_sse(gateway, "POST", "/v1/txt2img", json=APPLE) as source:
        headers = source.response.headers
        assert headers["content-type"].startswith("text/event-stream")
        assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")


def test_a_silent_stage_does_not_make_a_silent_stream(
    gateway: httpx.Client, stage: StreamingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "HEARTBEAT_SECONDS", 0.1)
    stage.pause = 0.35
    with gateway.stream("POST", "/v1/txt2img", json=APPLE, headers=STREAM) as response:
        lines = list(response.iter_lines())
    assert len([line for line in lines if line.startswith(":")]) >= 4
    assert "event: result" in lines


def leave_early(gateway: httpx.Client, stage: StreamingStage, **request: Any) -> None:
    with connect_sse(gateway, "POST", "/v1/txt2img", json={"prompt": "", "steps": 20, **request}) as source:
        next(one for one, data in events_of(source) if data.get("step", 0) >= 2)
    assert len(stage.steps) < 15


def test_a_client_that_leaves_ends_the_work(gateway: httpx.Client, stage: StreamingStage) -> None:
    stage.pause = 0.1
    leave_early(gateway, stage)
    wait_until(lambda: stage.left == 1)
    assert len(stage.steps) < 20


def test_a_client_that_leaves_may_have_it_done_all_the_same(
    start_gateway: StartGateway, fakes: Fakes, url: str, stage: StreamingStage
) -> None:
    stage.pause = 0.1
    gateway = start_gateway(diffusion_url=url, max_concurrent_requests=1)
    leave_early(gateway, stage, on_disconnect="keep")
    assert gateway.post("/v1/txt2img", json=APPLE).status_code == 429
    wait_until(lambda: len(fakes["decoder"].requests) == 1)
    assert stage.steps == list(range(1, 21))
    wait_until(lambda: gateway.post("/v1/txt2img", json=APPLE).status_code == 200)


def test_so_may_one_that_waits_for_a_whole_answer(
    gateway: httpx.Client, fakes: Fakes, stage: StreamingStage
) -> None:
    stage.pause = 0.1
    with pytest.raises(httpx.ReadTimeout):
        gateway.post("/v1/txt2img", json={**APPLE, "steps": 10, "on_disconnect": "keep"}, timeout=0.5)
    wait_until(lambda: len(fakes["decoder"].requests) == 1)
    assert stage.steps == list(range(1, 11))


def test_what_is_kept_and_fails_harms_nobody(gateway: httpx.Client, stage: StreamingStage) -> None:
    stage.pause, stage.fails_at, stage.status = 0.1, 15, 499
    leave_early(gateway, stage, on_disconnect="keep")
    wait_until(lambda: len(stage.steps) == 15)
    assert gateway.post("/v1/txt2img", json=APPLE).status_code == 200


def test_a_slow_reader_gets_the_newest_and_no_backlog(gateway: httpx.Client, stage: StreamingStage) -> None:
    stage.pause, stage.preview_bytes = 0.005, 200_000
    with connect_sse(
        gateway, "POST", "/v1/txt2img", json={"prompt": "", "steps": 200, "preview_every": 1}
    ) as source:
        events = events_of(source)
        next(events)
        wait_until(lambda: len(stage.steps) == 200)
        time.sleep(0.2)
        rest = list(events)
    previews = of(rest, "preview")
    assert len(previews) < 100
    assert previews[-1]["step"] == 200
    assert rest[-1][0] == "result"


def test_a_gateway_that_stops_says_so_to_those_who_watch(
    fakes: Fakes, urls: dict[str, str], url: str, stage: StreamingStage
) -> None:
    stage.pause = 30
    others = {f"{name}_url": urls[name] for name in ("text_encoder", "inpainting", "decoder")}
    app = create_app(Settings.model_validate({**others, "diffusion_url": url}))
    with ExitStack() as running, ExitStack() as reading:
        gateway = reading.enter_context(httpx.Client(base_url=running.enter_context(serving(app))))
        source = reading.enter_context(connect_sse(gateway, "POST", "/v1/txt2img", json=APPLE))
        events = events_of(source)
        next(events)
        running.close()
        name, error = list(events)[-1]
    assert (name, error["status"], error["error"]["type"]) == ("error", 503, "Stopping")
    wait_until(lambda: stage.left == 1)
