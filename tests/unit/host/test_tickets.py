import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from triptych.wire import MEDIA_TYPE, InvalidField, decode_tensor, unpack

from .conftest import Bench, metric, timing, wait_until

Start = Callable[..., Bench]


def test_several_requests_are_in_the_engine_at_a_time_and_each_ends_when_it_is_done(bench: Start) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(stage.post, num_steps=2)
        slow = stage.ticket(count=1)
        second = pool.submit(stage.post, num_steps=1)
        quick = stage.ticket(count=2)
        slow.advance()
        quick.advance()
        assert second.result().status_code == 200
        assert not first.done()
        slow.advance()
        assert first.result().status_code == 200


def test_the_answer_is_the_contracts_string_or_safetensors_where_they_are_asked_for(bench: Start) -> None:
    stage = bench()
    plain = stage.post(num_steps=3, seconds_a_step=0.01)
    wanted = np.full((1, 2, 2, 4), 3, np.float32)
    assert np.array_equal(decode_tensor("", plain.json(), np.float32, wanted.shape), wanted)
    body = {"inputs": "x", "num_steps": 3, "seconds_a_step": 0.01}
    answer = stage.client.post("/predict", json=body, headers={"Accept": f"{MEDIA_TYPE};dtype=float16"})
    latent = unpack("", answer.content)[0]["latent"]
    assert latent.dtype == np.float16
    assert np.array_equal(latent, wanted)


@pytest.mark.parametrize(
    ("inputs", "status", "error"),
    [("invalid", 422, "num_steps must be from 1 to 250; got 0"), ("fault", 500, "KeyError: 'weights'")],
)
def test_what_cannot_be_started_is_said_and_the_next_request_works(
    bench: Start, inputs: str, status: int, error: str
) -> None:
    stage = bench()
    answer = stage.post(inputs)
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert stage.post(seconds_a_step=0.01).status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (RuntimeError("out of memory"), 500, "RuntimeError: out of memory"),
        (InvalidField("seed", "smaller", 9), 422, "seed must be smaller; got 9"),
    ],
)
def test_what_fails_in_the_engine_fails_alone(bench: Start, error: Exception, status: int, said: str) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        failing = pool.submit(stage.post)
        stage.ticket(count=1).end(error)
        assert (failing.result().status_code, failing.result().json()) == (status, {"error": said})
        assert stage.post(seconds_a_step=0.01).status_code == 200


def test_the_metrics_tell_what_runs_and_what_waits(bench: Start) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(stage.post), pool.submit(stage.post)]
        stage.ticket(count=2)
        assert (metric(stage.client, "inf_batch_current_size"), metric(stage.client, "inf_queue_size")) == (
            0,
            2,
        )
        stage.handler.tickets[0].begin()
        wait_until(lambda: metric(stage.client, "inf_batch_current_size") == 1)
        assert metric(stage.client, "inf_queue_size") == 1
        for ticket in stage.handler.tickets:
            ticket.end(RuntimeError("enough"))
        assert [call.result().status_code for call in calls] == [500, 500]
    assert (metric(stage.client, "inf_batch_current_size"), metric(stage.client, "inf_queue_size")) == (0, 0)


def test_a_request_that_waits_for_the_handlers_thread_counts_once(bench: Start) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        call = pool.submit(stage.post, "gate", seconds_a_step=0.01)
        wait_until(lambda: stage.handler.started == ["gate"])
        assert metric(stage.client, "inf_batch_current_size") == 0
        assert metric(stage.client, "inf_queue_size") == 1
        stage.handler.gate.set()
        assert call.result().status_code == 200


def test_an_answer_tells_the_time_before_its_first_step_and_after(bench: Start) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        call = pool.submit(stage.post, num_steps=1)
        ticket = stage.ticket()
        other = pool.submit(stage.post)
        stage.ticket(count=2)
        ticket.begin()
        wait_until(lambda: metric(stage.client, "inf_batch_current_size") == 1)
        ticket.advance()
        answer = call.result()
        stage.ticket().end(RuntimeError("enough"))
        other.result()
    took = timing(answer)
    assert answer.headers["x-queue-size"] == "1"
    assert list(took) == ["queue", "handler"]
    assert took["queue"] > 0
    assert 0 < took["handler"] < 5000


def test_an_answer_that_was_there_at_once_has_taken_no_time_in_the_handler(bench: Start) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        call = pool.submit(stage.post, num_steps=0)
        ticket = stage.ticket()
        ticket.done = True
        ticket.notices[0]()
        took = timing(call.result())
    assert took["handler"] < 100


@pytest.mark.parametrize("seconds", [0.0, 12.3])
def test_a_refused_one_is_told_to_come_again_when_the_work_will_be_done(bench: Start, seconds: float) -> None:
    stage = bench(max_queue=0)
    stage.handler.seconds = seconds
    with ThreadPoolExecutor() as pool:
        call = pool.submit(stage.post)
        ticket = stage.ticket()
        refused = stage.post()
        ticket.end(RuntimeError("enough"))
        call.result()
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == str(max(1, math.ceil(seconds)))
    assert "full" in refused.json()["error"]


def test_a_client_that_goes_away_cancels(bench: Start) -> None:
    stage = bench()
    with stage.connect():
        ticket = stage.ticket()
        assert not ticket.cancelled
    wait_until(lambda: ticket.cancelled)
    wait_until(lambda: metric(stage.client, "inf_queue_size") == 0)


def test_a_client_that_goes_away_may_have_it_go_on(bench: Start) -> None:
    stage = bench(max_queue=0)
    with stage.connect(on_disconnect="keep", job_id="kept"):
        ticket = stage.ticket()
        ticket.begin()
    refused = [stage.post().status_code for _ in range(3)]
    assert refused == [429] * 3, "what goes on keeps its place"
    assert not ticket.cancelled
    while not ticket.done:
        ticket.advance()
    wait_until(lambda: metric(stage.client, "inf_batch_current_size") == 0)
    assert stage.post(seconds_a_step=0.01).status_code == 200


def test_a_request_left_before_its_turn_is_not_started_unless_it_is_to_be_kept(bench: Start) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        call = pool.submit(stage.post, "gate", seconds_a_step=0.01)
        wait_until(lambda: stage.handler.started == ["gate"])
        with stage.connect(inputs="left"), stage.connect(inputs="kept", on_disconnect="keep"):
            wait_until(lambda: metric(stage.client, "inf_queue_size") == 3)
        wait_until(lambda: metric(stage.client, "inf_queue_size") == 2)
        stage.handler.gate.set()
        assert call.result().status_code == 200
    wait_until(lambda: len(stage.handler.tickets) == 2)
    assert stage.handler.started == ["gate", "kept"]
    stage.handler.tickets[1].end(RuntimeError("enough"))


def test_a_request_left_while_it_is_started_is_cancelled_then(bench: Start) -> None:
    stage = bench()
    with stage.connect(inputs="gate"):
        wait_until(lambda: stage.handler.started == ["gate"])
    wait_until(lambda: metric(stage.client, "inf_queue_size") == 0)
    stage.handler.gate.set()
    wait_until(lambda: stage.ticket().cancelled)


def test_the_body_is_bounded_as_for_any_handler(bench: Start) -> None:
    stage = bench(max_body_bytes=100)
    assert stage.post(padding="x" * 100).status_code == 413
    assert stage.client.post("/", content=b"{").status_code == 422
    assert stage.client.post("/", content=b"", headers={"Content-Type": "text/plain"}).status_code == 415
    assert stage.handler.started == []
