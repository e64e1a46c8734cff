import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.running import watchdogs

from .conftest import Bench, Serve, is_in, metric, raw_post, timing, wait_until

GATED = """
    import threading
    import time
    from pathlib import Path

    class EndpointHandler:
        def __init__(self, path=""):
            self.folder = Path(path)

        def __call__(self, data):
            (self.folder / f"began-{data['inputs']}").touch()
            while not (self.folder / "open").exists():
                time.sleep(0.01)
            return data["inputs"]
"""
"""A handler that writes down what it began, and waits for a file named `open` beside it."""

FAULTY = """
    from triptych.wire import InvalidField

    class EndpointHandler:
        def __init__(self, path=""):
            pass

        def __call__(self, data):
            match data["inputs"]:
                case "invalid":
                    raise InvalidField("num_steps", "from 1 to 250", 0)
                case "fault":
                    raise KeyError("weights")
                case "memory":
                    raise MemoryError("no room")
                case "exit":
                    raise SystemExit(3)
                case "nan":
                    return float("nan")
                case "bytes":
                    return b"picture"
            return "fine"
"""


def test_a_string_is_answered_in_json_quotes(serve: Serve) -> None:
    answer = serve().post("/", json={"inputs": "a red apple"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == '"a red apple"'


def test_an_object_is_answered_as_json(serve: Serve) -> None:
    assert serve().post("/", json={"inputs": {"a": [1, None]}}).json() == {"a": [1, None]}


def test_predict_is_the_same_as_the_root(serve: Serve) -> None:
    assert serve().post("/predict", json={"inputs": "x"}).json() == "x"


def test_extra_keys_reach_the_handler_untouched(serve: Serve) -> None:
    client = serve("""
        class EndpointHandler:
            def __init__(self, path=""):
                pass

            def __call__(self, data):
                return data
    """)
    request = {"inputs": "x", "seed": 2**63 - 1, "schedule": "range", "nested": {"a": [1.5, True]}}
    assert client.post("/", json=request).json() == request


@pytest.mark.parametrize("path", ["/", "/health"])
def test_health_is_the_text_ok(serve: Serve, path: str) -> None:
    answer = serve().get(path)
    assert (answer.status_code, answer.text) == (200, "Ok")
    assert answer.headers["content-type"].startswith("text/plain")


def test_ready_tells_stage_and_state(serve: Serve) -> None:
    body = serve().get("/ready").json()
    assert {key: body[key] for key in ("stage", "state", "progress", "error")} == {
        "stage": "echo",
        "state": "warm",
        "progress": None,
        "error": None,
    }
    assert 0 <= body["seconds"] < 30


def test_info_is_what_the_handler_says(serve: Serve) -> None:
    client = serve("""
        class EndpointHandler:
            def __init__(self, path=""):
                pass

            def __call__(self, data):
                return None

            def info(self):
                return {"stage": "echo", "limits": {"batch_size": 16}}
    """)
    assert client.get("/info").json() == {"stage": "echo", "limits": {"batch_size": 16}}


def test_a_handler_without_info_has_no_such_route(serve: Serve) -> None:
    answer = serve().get("/info")
    assert (answer.status_code, answer.json()) == (404, {"error": "this stage's handler has no info()"})


def test_info_announces_the_hosts_extras_of_a_handler_that_starts_requests(
    bench: Callable[..., Bench],
) -> None:
    card = bench().client.get("/info").json()
    assert card["extras"] == ["seed", "events", "job_id", "on_disconnect"]
    assert "wire" in card


def test_ready_tells_how_many_programs_are_warm_where_the_handler_says(
    bench: Callable[..., Bench], serve: Serve
) -> None:
    ready = bench().client.get("/ready")
    assert ready.status_code == 200
    assert (ready.json()["state"], ready.json()["programs"]) == ("warm", {"warm": 1, "of": 3})
    assert "programs" not in serve().get("/ready").json()


def test_unknown_routes_and_methods_get_a_sentence(serve: Serve) -> None:
    client = serve()
    missing, wrong = client.get("/nothing"), client.get("/predict")
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert "/nothing" in missing.json()["error"]
    assert wrong.headers["allow"] == "POST"
    assert wrong.json() == {"error": "/predict does not take GET"}


def test_an_invalid_field_is_422_and_the_next_request_works(serve: Serve) -> None:
    client = serve(FAULTY)
    answer = client.post("/", json={"inputs": "invalid"})
    assert answer.status_code == 422
    assert answer.json() == {"error": "num_steps must be from 1 to 250; got 0"}
    assert client.post("/", json={"inputs": "well"}).json() == "fine"


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ("fault", "KeyError: 'weights'"),
        ("memory", "MemoryError: no room"),
        ("exit", "SystemExit: 3"),
        ("nan", "ValueError: Out of range float values are not JSON compliant"),
        ("bytes", "TypeError: Object of type bytes is not JSON serializable"),
    ],
)
def test_a_fault_is_500_and_the_next_request_works(serve: Serve, inputs: str, error: str) -> None:
    client = serve(FAULTY)
    answer = client.post("/", json={"inputs": inputs})
    assert answer.status_code == 500
    assert answer.json()["error"].startswith(error)
    assert client.post("/", json={"inputs": "well"}).json() == "fine"


def test_a_handler_that_fails_to_load_leaves_a_server_that_says_why(serve: Serve) -> None:
    client = serve(
        """
        class EndpointHandler:
            def __init__(self, path=""):
                raise OSError("model.safetensors: no such file")
        """,
        until="failed",
    )
    ready = client.get("/ready")
    assert ready.status_code == 503
    assert ready.json()["error"] == "OSError: model.safetensors: no such file"
    answer = client.post("/", json={"inputs": "x"})
    assert answer.status_code == 503
    assert "OSError: model.safetensors: no such file" in answer.json()["error"]
    assert client.get("/health").status_code == 200
    assert client.get("/info").status_code == 503


def test_while_it_loads_it_shows_how_far_it_is_and_refuses_calls(serve: Serve) -> None:
    client = serve(
        """
        import time
        from pathlib import Path

        class EndpointHandler:
            def __init__(self, path, report):
                report("loading", 0.25)
                while not (Path(path) / "open").exists():
                    time.sleep(0.01)

            def __call__(self, data):
                return data["inputs"]
        """,
        until="loading",
    )
    ready = client.get("/ready")
    assert ready.status_code == 503
    assert ready.json()["progress"] == 0.25
    refused = client.post("/", json={"inputs": "x"})
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert "loading" in refused.json()["error"]


def test_calls_run_one_at_a_time_and_the_queue_is_bounded(serve: Serve, tmp_path: Path) -> None:
    client = serve(GATED, max_queue=1)
    folder = tmp_path / "echo"
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.post, "/", json={"inputs": "1"})
        wait_until(lambda: metric(client, "inf_batch_current_size") == 1)
        second = pool.submit(client.post, "/", json={"inputs": "2"})
        wait_until(lambda: metric(client, "inf_queue_size") == 1)
        refused = client.post("/", json={"inputs": "3"})
        assert not (folder / "began-2").exists()
        (folder / "open").touch()
        assert [first.result().json(), second.result().json()] == ["1", "2"]
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert "full" in refused.json()["error"]
    assert not (folder / "began-3").exists()


def test_a_caller_that_went_away_before_its_turn_is_skipped(serve: Serve, tmp_path: Path) -> None:
    client = serve(GATED, max_queue=1)
    folder = tmp_path / "echo"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/", json={"inputs": "1"})
        wait_until(lambda: metric(client, "inf_batch_current_size") == 1)
        with socket.create_connection(("127.0.0.1", client.base_url.port or 0)) as leaver:
            leaver.sendall(raw_post({"inputs": "left"}))
            wait_until(lambda: metric(client, "inf_queue_size") == 1)
        wait_until(lambda: metric(client, "inf_queue_size") == 0)
        third = threading.Thread(target=client.post, args=["/"], kwargs={"json": {"inputs": "3"}})
        third.start()
        wait_until(lambda: metric(client, "inf_queue_size") == 1)
        (folder / "open").touch()
        third.join()
        first.result()
    assert not (folder / "began-left").exists()
    assert (folder / "began-3").exists()


def test_the_server_answers_health_while_the_handler_is_busy(serve: Serve, tmp_path: Path) -> None:
    client = serve(GATED)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.post, "/", json={"inputs": "1"})
        wait_until(lambda: metric(client, "inf_batch_current_size") == 1)
        assert client.get("/ready").status_code == 200
        (tmp_path / "echo" / "open").touch()
        assert call.result().status_code == 200


def test_metrics_count_requests_by_status(serve: Serve) -> None:
    client = serve()
    client.post("/", json={"inputs": "x"})
    client.post("/", content=b"{")
    text = client.get("/metrics").text
    assert 'stage_requests_total{route="predict",status="200"} 1.0' in text
    assert 'stage_requests_total{route="predict",status="422"} 1.0' in text
    assert "process_resident_memory_bytes" in text


def test_an_answer_announces_what_it_took_and_how_many_others_there_are(serve: Serve, tmp_path: Path) -> None:
    client = serve(GATED)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(client.post, "/", json={"inputs": "1"})
        wait_until(lambda: metric(client, "inf_batch_current_size") == 1)
        second = pool.submit(client.post, "/", json={"inputs": "2"})
        wait_until(lambda: metric(client, "inf_queue_size") == 1)
        (tmp_path / "echo" / "open").touch()
        answers = first.result(), second.result()
    assert [answer.headers["x-queue-size"] for answer in answers] == ["1", "0"]
    for answer in answers:
        assert list(timing(answer)) == ["queue", "handler"]
        assert all(milliseconds >= 0 for milliseconds in timing(answer).values())
    assert timing(answers[1])["queue"] > 0


def test_a_stage_is_watched_whether_its_event_loop_stands_still(serve: Serve) -> None:
    before = watchdogs()
    serve()
    assert watchdogs() - before


@pytest.mark.parametrize("lacking", ["OSError", "MemoryError"])
def test_a_handler_that_lacks_what_may_come_is_loaded_once_it_is_there(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    monkeypatch.setattr("host.facades.RETRY_SECONDS", 0.2)
    weights = tmp_path / "weights"
    source = f"""
        import os

        class EndpointHandler:
            def __init__(self, path=""):
                if not os.path.exists({str(weights)!r}):
                    raise {lacking}("no weights, or no room for them")

            def __call__(self, data):
                return "made"
    """
    client = serve(source, until="failed")
    response = client.post("/", json={"inputs": "x"})
    assert response.status_code == 503
    assert "failed to load" in response.text and "it will be tried again" in response.text
    weights.touch()
    wait_until(lambda: is_in(client, "warm"))
    assert client.get("/ready").json()["error"] is None
    assert client.post("/", json={"inputs": "x"}).json() == "made"
