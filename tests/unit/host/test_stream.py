import base64
import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from host import stream
from host.stream import Every
from triptych.wire import IMAGE_FORMAT, InvalidField, unpack

from .conftest import Bench, Serve, metric, read_events, wait_until

Start = Callable[..., Bench]
EVENTS = "text/event-stream"


def tensors(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    return unpack("", base64.b64decode(text))


def test_a_request_is_followed_from_the_queue_to_its_answer(bench: Start) -> None:
    stage = bench()
    with stage.stream(num_steps=2) as events:
        waits = {"state": "queued", "ahead": 1, "step": 0, "steps": 2, "seconds_left": None}
        assert next(events) == ("progress", waits)
        ticket = stage.ticket()
        ticket.begin()
        begun = {"state": "running", "ahead": 0, "step": 0, "steps": 2, "seconds_left": 1.0}
        assert next(events) == ("progress", begun)
        ticket.advance()
        assert next(events) == ("progress", {**begun, "step": 1, "seconds_left": 0.5})
        ticket.advance()
        assert next(events) == ("progress", {**begun, "step": 2, "seconds_left": 0.0})
        name, data = next(events)
        assert name == "answer"
        assert next(events, None) is None
    assert np.array_equal(tensors(data["tensors"])[0]["latent"], np.full((1, 2, 2, 4), 2, np.float32))
    assert set(data["timing"]) == {"queue", "handler", "cache_hits", "cache_misses"}
    assert 0 < data["timing"]["queue"] < 5
    assert 0 < data["timing"]["handler"] < 5


def test_a_stream_says_what_it_is_and_that_it_is_not_to_be_kept(bench: Start) -> None:
    body = {"inputs": "x", "seconds_a_step": 0.01}
    answer = bench().client.post("/predict", json=body, headers={"Accept": EVENTS})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(EVENTS)
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-queue-size"] == "0"
    assert [name for name, _ in read_events(answer.text.splitlines())][-1] == "answer"


def test_the_answer_has_the_form_that_the_parameters_name(bench: Start) -> None:
    stage = bench()
    with stage.stream(accept=f"{EVENTS};dtype=float16", seconds_a_step=0.01) as events:
        assert tensors(list(events)[-1][1]["tensors"])[0]["latent"].dtype == np.float16
    accept = f"{EVENTS};image_format=png"
    with stage.stream(accept=accept, wanted="image", seconds_a_step=0.01) as events:
        files, metadata = tensors(list(events)[-1][1]["tensors"])
    assert metadata == {IMAGE_FORMAT: "png"}
    assert Image.open(io.BytesIO(files["image.0"].tobytes())).size == (8, 8)
    wrong = stage.client.post("/", json={"inputs": "x"}, headers={"Accept": f"{EVENTS};dtype=int8"})
    assert wrong.status_code == 406


def test_previews_come_every_so_many_steps_as_png_files_one_an_image(bench: Start) -> None:
    stage = bench()
    previews = []
    with stage.stream(num_steps=5, preview_every=2) as events:
        ticket = stage.ticket()
        for name, data in events:
            if name == "preview":
                previews.append(data)
            elif name == "progress" and data["step"] % 2 == 0 and 0 < data["step"] < 5:
                continue  # its preview comes next
            if not ticket.done:
                ticket.advance()
    assert [preview["step"] for preview in previews] == [2, 4]
    images = [Image.open(io.BytesIO(base64.b64decode(text))) for text in previews[1]["images"]]
    assert [(image.format, image.size) for image in images] == [("PNG", (8, 8))] * 2
    assert np.array_equal(np.asarray(images[0]), np.full((8, 8, 3), 4))


def test_states_come_every_so_many_steps_as_tensors(bench: Start) -> None:
    stage = bench()
    with stage.stream(num_steps=3, state_every=1) as events:
        ticket = stage.ticket()
        ticket.advance()
        data = next(data for name, data in events if name == "state")
        ticket.advance()
        ticket.advance()
        assert [name for name, _ in events][-1] == "answer"
    assert data["step"] == 1
    assert np.array_equal(tensors(data["state"])[0]["latent"], np.full((1, 2, 2, 4), 1, np.float32))


@pytest.mark.parametrize(
    ("every", "steps", "due"),
    [(0, [0, 1, 5], []), (1, [0, 1, 1, 2], [1, 2]), (2, [0, 1, 2, 3, 4], [2, 4]), (3, [2, 7, 8, 9], [7, 9])],
)
def test_what_is_due_every_so_many_steps_is_due_once_though_steps_are_missed(
    every: int, steps: list[int], due: list[int]
) -> None:
    clock = Every(every)
    assert [step for step in steps if clock.due(step)] == due


def test_a_slow_reader_gets_fewer_events_and_no_backlog(bench: Start) -> None:
    stage = bench()
    steps = 60
    with stage.connect(EVENTS, num_steps=steps, side=400, preview_every=1) as connection:
        ticket = stage.ticket()
        for _ in range(steps - 1):
            ticket.advance()
            time.sleep(0.03)
        threading.Timer(0.1, ticket.advance).start()
        received = read_to_answer(connection)
    assert 0 < received.count(b"event: preview") < steps / 2
    assert f'"step": {steps},'.encode() in received


def read_to_answer(connection: Any) -> bytes:
    received = bytearray()
    while b"event: answer" not in received[-100_000:]:
        received += connection.recv(65536)
    return bytes(received)


def test_a_silent_stream_gives_a_sign_of_life(bench: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SILENCE_SECONDS", 0.05)
    stage = bench()
    with stage.stream() as events:
        assert [next(events)[0] for _ in range(3)] == ["progress", ":", ":"]
        stage.ticket().end(RuntimeError("enough"))


def test_a_reader_that_takes_nothing_is_as_good_as_gone(
    bench: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "READER_SECONDS", 0.2)
    stage = bench()
    with stage.connect(EVENTS, num_steps=1000, side=800, preview_every=1):
        ticket = stage.ticket()
        while not ticket.cancelled:
            assert ticket.step < 900
            ticket.advance()
            time.sleep(0.05)
    wait_until(lambda: metric(stage.client, "inf_batch_current_size") == 0)


def test_leaving_a_stream_cancels(bench: Start) -> None:
    stage = bench()
    with stage.stream() as events:
        next(events)
        ticket = stage.ticket()
    wait_until(lambda: ticket.cancelled)
    wait_until(lambda: metric(stage.client, "inf_queue_size") == 0)


def test_leaving_a_stream_may_have_the_request_go_on(bench: Start) -> None:
    stage = bench(max_queue=0)
    with stage.stream(on_disconnect="keep", job_id="kept") as events:
        next(events)
        ticket = stage.ticket()
        ticket.begin()
    assert [stage.post().status_code for _ in range(3)] == [429] * 3
    assert not ticket.cancelled
    assert stage.client.delete("/jobs/kept").status_code == 200
    ticket.advance()
    wait_until(lambda: metric(stage.client, "inf_batch_current_size") == 0)


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (RuntimeError("out of memory"), {"status": 500, "error": "RuntimeError: out of memory"}),
        (InvalidField("seed", "smaller", 9), {"status": 422, "error": "seed must be smaller; got 9"}),
    ],
)
def test_what_fails_after_the_stream_began_is_its_last_event(
    bench: Start, error: Exception, data: dict[str, object]
) -> None:
    stage = bench()
    with stage.stream() as events:
        next(events)
        stage.ticket().end(error)
        assert list(events)[-1] == ("error", data)
    assert stage.post(seconds_a_step=0.01).status_code == 200


def test_a_cancelled_stream_ends_with_499(bench: Start) -> None:
    stage = bench()
    with stage.stream(job_id="a") as events:
        next(events)
        stage.client.delete("/jobs/a")
        stage.ticket().advance()
        assert list(events)[-1] == ("error", {"status": 499, "error": "the request was cancelled"})


def test_a_preview_that_fails_ends_the_stream_and_the_request(bench: Start) -> None:
    stage = bench()
    with stage.stream(preview_every=1) as events:
        ticket = stage.ticket()
        ticket.broken = True
        ticket.advance()
        assert list(events)[-1] == ("error", {"status": 500, "error": "RuntimeError: no picture"})
    assert ticket.cancelled


def test_what_fails_before_the_stream_begins_is_an_error_as_ever(bench: Start) -> None:
    stage = bench(max_queue=0)

    def post(**fields: Any) -> httpx.Response:
        return stage.client.post("/", json=fields, headers={"Accept": EVENTS})

    assert post(inputs="invalid").json() == {"error": "num_steps must be from 1 to 250; got 0"}
    assert post(inputs="fault").status_code == 500
    assert post(inputs="x", preview_every=-1).status_code == 422
    assert post().status_code == 422
    with stage.stream() as events:
        next(events)
        assert post(inputs="x").status_code == 429
        stage.ticket().end(RuntimeError("enough"))


def test_several_streams_and_plain_requests_share_the_engine(bench: Start) -> None:
    stage = bench()
    with (
        ThreadPoolExecutor() as pool,
        stage.stream(num_steps=1) as first,
        stage.stream(num_steps=1) as second,
    ):
        call = pool.submit(stage.post, num_steps=1)
        stage.ticket(count=3)
        for ticket in reversed(stage.handler.tickets):
            ticket.advance()
        assert [list(events)[-1][0] for events in (second, first)] == ["answer", "answer"]
        assert call.result().status_code == 200


def test_a_handler_that_starts_nothing_has_no_events(serve: Serve) -> None:
    client = serve()
    answer = client.post("/", json={"inputs": "x"}, headers={"Accept": EVENTS})
    assert answer.status_code == 406
    assert answer.json() == {
        "error": "this stage has no text/event-stream; Accept must name application/json"
    }
    either = client.post("/", json={"inputs": "x"}, headers={"Accept": f"{EVENTS}, application/json"})
    assert either.json() == "x"


def test_when_the_server_stops_a_stream_ends_with_where_it_was(
    bench: Start, stop: Callable[[], None]
) -> None:
    stage = bench(stop_timeout=0.5)
    with stage.stream() as events:
        next(events)
        stage.ticket().advance()
        next(events)
        stop()
        (state, data), error = list(events)[-2:]
    assert (state, data["step"]) == ("state", 1)
    assert np.array_equal(tensors(data["state"])[0]["latent"], np.full((1, 2, 2, 4), 1, np.float32))
    sentence = "the stage was stopped before this request was finished"
    assert error == ("error", {"status": 503, "error": sentence})
    assert stage.ticket().cancelled


def test_when_the_server_stops_what_is_nearly_done_is_finished(
    bench: Start, stop: Callable[[], None]
) -> None:
    stage = bench(stop_timeout=10)
    with stage.stream(num_steps=5, seconds_a_step=0.1) as events:
        next(events)
        stop()
        assert list(events)[-1][0] == "answer"
