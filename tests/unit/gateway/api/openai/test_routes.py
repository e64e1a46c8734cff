"""OpenAI's routes over real HTTP, in front of fake stages."""

import base64
import json
import threading
import time
from contextlib import ExitStack
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.responses import JSONResponse

from gateway.app import create_app
from gateway.settings import Settings
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import PAINTED, ask_and_leave, serving, wait_until
from tests.unit.gateway.pictures import noise, opened, pixels_of, text_of

APPLE = {"prompt": "a red apple"}
GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
Event = tuple[str, dict[str, Any]]


def events(text: str) -> list[Event]:
    """Of a stream: names and data."""
    parts = [part.split("\n") for part in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts]


def error(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    said: dict[str, Any] = response.json()["error"]
    assert set(said) == {"message", "type", "param", "code"}
    return said


def test_the_answer_is_what_the_client_reads(gateway: httpx.Client) -> None:
    response = gateway.post(GENERATIONS, json={**APPLE, "n": 2, "seed": 5})
    assert "diffusion;dur=" in response.headers["server-timing"]
    body = response.json()
    assert abs(body.pop("created") - time.time()) < 60
    pictures = [datum.pop("b64_json") for datum in body["data"]]
    assert body == {
        "data": [{"seed": 5}, {"seed": 6}],
        "background": "opaque",
        "output_format": "png",
        "size": "64x64",
        "quality": "auto",
    }
    assert (pixels_of(pictures[0]) == PAINTED).all()
    assert opened(pictures[1]).info["parameters"].startswith("a red apple\nSteps: 20")


def test_what_is_not_quite_as_asked_is_said_in_a_header(gateway: httpx.Client) -> None:
    response = gateway.post(GENERATIONS, json={**APPLE, "size": "512x512", "sampler": "UniPC"})
    assert response.headers["x-triptych-warning"] == (
        "The sampler is DPM++ 2M, the nearest to 'UniPC'. "
        "The picture was made at 64x64 and scaled to 512x512."
    )


def test_a_picture_of_another_address_is_gone_after_a_while(gateway: httpx.Client) -> None:
    (datum,) = gateway.post(GENERATIONS, json={**APPLE, "response_format": "url"}).json()["data"]
    assert (pixels_of(gateway.get(datum["url"]).content) == PAINTED).all()
    assert "not kept any more" in error(gateway.get("/v1/images/files/nothing"), 404)["message"]


def test_an_edit_comes_as_a_form_or_as_json(gateway: httpx.Client) -> None:
    image, mask = noise(96, 64), np.zeros((64, 96, 4), np.uint8)
    mask[:, 48:, 3] = 255
    fields = {"image": text_of(image), "mask": text_of(mask)}
    files = {
        f"{name}[]" if name == "image" else name: base64.b64decode(text) for name, text in fields.items()
    }
    as_json = gateway.post(EDITS, json={**APPLE, **fields})
    as_form = gateway.post(EDITS, data=APPLE, files=files)
    for response in (as_json, as_form):
        edited = pixels_of(response.json()["data"][0]["b64_json"])
        assert np.array_equal(edited[:, 48:], image[:, 48:])
        assert (edited[20:40, 10:30] == PAINTED).all()


def test_a_stream_shows_the_picture_forming(gateway: httpx.Client, half_way: threading.Event) -> None:
    half_way.set()
    asked = {**APPLE, "stream": True, "partial_images": 2, "size": "128x96", "output_format": "webp"}
    response = gateway.post(GENERATIONS, json=asked)
    assert response.headers["content-type"].startswith("text/event-stream")
    told = events(response.text)
    kind = "image_generation"
    assert [name for name, _ in told] == [f"{kind}.partial_image", f"{kind}.completed"]
    (_, partial), (_, completed) = told
    for data in (partial, completed):
        assert data["size"] == "128x96"
        assert (opened(data["b64_json"]).format, opened(data["b64_json"]).size) == ("WEBP", (128, 96))
    assert partial["partial_image_index"] == 0
    assert completed["usage"]["total_tokens"] == 0
    assert completed["warnings"] == ["The picture was made at 64x64 and scaled to 128x96."]


def test_no_more_is_shown_than_was_asked_for(gateway: httpx.Client, half_way: threading.Event) -> None:
    half_way.set()
    shown = {}
    for number in (0, 1, 3):
        asked = {**APPLE, "stream": True, "partial_images": number, "steps": 4}
        shown[number] = len(events(gateway.post(GENERATIONS, json=asked).text)) - 1
    assert shown == {0: 0, 1: 1, 3: 3}


def test_a_stream_that_is_silent_for_long_says_so(
    gateway: httpx.Client, half_way: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.api.stream.HEARTBEAT_SECONDS", 0.05)
    with gateway.stream("POST", GENERATIONS, json={**APPLE, "stream": True}) as response:
        lines = response.iter_lines()
        assert next(lines).startswith(":")
        half_way.set()
        assert "event: image_generation.completed" in list(lines)


def test_every_picture_of_a_stream_is_completed(gateway: httpx.Client) -> None:
    told = events(gateway.post(GENERATIONS, json={**APPLE, "stream": True, "n": 3, "seed": 7}).text)
    assert [data["seed"] for _, data in told] == [7, 8, 9]


def test_an_error_before_anything_happens_is_no_event(gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["diffusion"].responses["/"] = lambda: JSONResponse({"error": "out of memory"}, 500)
    said = error(gateway.post(GENERATIONS, json={**APPLE, "stream": True}), 502)
    assert (said["type"], said["code"]) == ("server_error", "stage_failed")


def test_an_error_later_is_the_last_event(
    gateway: httpx.Client, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.offer.most_images", lambda _: 2)
    decoded = fakes["decoder"].answer({"batch_size": 2})
    answers = [JSONResponse(decoded), JSONResponse({"error": "out of memory"}, 500)]
    fakes["decoder"].responses["/"] = lambda: answers.pop(0) if len(answers) > 1 else answers[0]
    told = events(gateway.post(GENERATIONS, json={**APPLE, "stream": True, "n": 4}).text)
    assert [name for name, _ in told] == [*["image_generation.completed"] * 2, "error"]
    assert told[-1][1]["error"]["code"] == "stage_failed"


def test_a_fault_of_the_gateways_own_is_the_last_event(
    gateway: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.api.openai.streaming.fit", lambda *_: 1 / 0)
    ((name, said),) = events(gateway.post(GENERATIONS, json={**APPLE, "stream": True}).text)
    assert (name, said["error"]["type"], said["error"]["code"]) == ("error", "server_error", "internal_error")


def test_a_gateway_that_stops_says_so_to_those_who_watch(
    urls: dict[str, str], half_way: threading.Event
) -> None:
    app = create_app(Settings.model_validate({f"{name}_url": url for name, url in urls.items()}))
    asked = {**APPLE, "stream": True, "partial_images": 1}
    with ExitStack() as running, ExitStack() as reading:
        gateway = reading.enter_context(httpx.Client(base_url=running.enter_context(serving(app))))
        response = reading.enter_context(gateway.stream("POST", GENERATIONS, json=asked))
        lines = response.iter_lines()
        next(lines)
        running.close()
        name, said = events("\n".join(["", *lines]).split("\n\n", 1)[1])[-1]
    assert (name, said["error"]["code"]) == ("error", "stopping")


def test_a_client_that_cuts_a_stream_ends_the_work(
    gateway: httpx.Client, fakes: Fakes, half_way: threading.Event
) -> None:
    asked = {**APPLE, "stream": True, "partial_images": 1}
    with gateway.stream("POST", GENERATIONS, json=asked) as response:
        lines = response.iter_lines()
        assert next(lines) == "event: image_generation.partial_image"
        assert under_way(gateway) == 1
    wait_until(lambda: under_way(gateway) == 0)


def test_a_client_that_leaves_before_a_stream_begins_ends_the_work(
    gateway: httpx.Client, fakes: Fakes
) -> None:
    fakes["diffusion"].delay = 60
    ask_and_leave(gateway, GENERATIONS, {**APPLE, "stream": True}, fakes["diffusion"])
    wait_until(lambda: fakes["diffusion"].left == 1)
    wait_until(lambda: under_way(gateway) == 0)


def under_way(gateway: httpx.Client) -> float:
    """How many requests the gateway has let in."""
    lines = gateway.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("triptych_requests_in_flight")).split()[-1])


def test_too_much_is_told_with_when_to_come_again(
    start_gateway: StartGateway, half_way: threading.Event
) -> None:
    gateway = start_gateway(max_concurrent_requests=1)
    with gateway.stream("POST", GENERATIONS, json={**APPLE, "stream": True, "partial_images": 1}) as response:
        lines = response.iter_lines()
        next(lines)
        busy = gateway.post(GENERATIONS, json=APPLE)
        assert error(busy, 429)["type"] == "rate_limit_error"
        assert busy.headers["retry-after"] == "2"


def test_a_model_is_chosen_by_its_name(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str]
) -> None:
    diffusion = urls["diffusion"].replace("127.0.0.1", "localhost")
    gateway = start_gateway(models={"anime": {"diffusion_url": diffusion}})
    for name in ("anime", "triptych-tiny"):
        assert gateway.post(GENERATIONS, json={**APPLE, "model": name}).status_code == 200
    assert fakes["diffusion"].headers[-1]["host"].startswith("127.0.0.1")
    said = error(gateway.post(GENERATIONS, json={**APPLE, "model": "dall-e-3"}), 422)
    assert said["code"] == "model_not_found"
    assert said["message"] == "model must be triptych-tiny or anime; got 'dall-e-3'."
    assert gateway.get("/v1/models/anime").json()["id"] == "anime"
    assert error(gateway.get("/v1/models/dall-e-3"), 404)["type"] == "invalid_request_error"
