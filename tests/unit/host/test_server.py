import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .batching import SOURCE
from .conftest import Process, read_events, wait_until

Start = Callable[..., Process]

SLOW = """
    import time
    from pathlib import Path

    class EndpointHandler:
        def __init__(self, path=""):
            self.folder = Path(path)

        def __call__(self, data):
            (self.folder / "began").touch()
            time.sleep(data["seconds"])
            return data["inputs"]
"""


def test_what_is_under_way_is_finished_and_new_requests_are_refused(process: Start, tmp_path: Path) -> None:
    server = process(SLOW)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(server.client.post, "/", json={"inputs": "done", "seconds": 2})
        wait_until((tmp_path / "echo" / "began").exists)
        server.popen.send_signal(signal.SIGTERM)
        wait_until(lambda: server.client.get("/ready").json()["state"] == "stopping")
        refused = server.client.post("/", json={"inputs": "late", "seconds": 0})
        assert slow.result().json() == "done"
    assert refused.status_code == 503
    assert refused.json() == {"error": "the echo stage is stopping"}
    status, _ = server.finish(seconds=10)
    assert status == 0


def test_what_is_not_finished_in_time_is_answered_with_503(process: Start, tmp_path: Path) -> None:
    server = process(SLOW)
    with ThreadPoolExecutor(1) as pool:
        endless = pool.submit(server.client.post, "/", json={"inputs": "never", "seconds": 60})
        wait_until((tmp_path / "echo" / "began").exists)
        began = time.monotonic()
        server.popen.send_signal(signal.SIGTERM)
        answer = endless.result()
    status, _ = server.finish(seconds=10)
    assert answer.status_code == 503
    assert answer.json() == {"error": "the stage was stopped before this request was finished"}
    assert status == 0
    assert 7 < time.monotonic() - began < 10


def test_a_stream_of_a_stopped_process_ends_with_where_it_was(process: Start) -> None:
    server = process(SOURCE, STOP_TIMEOUT="0.5")
    body = {"inputs": "x", "num_steps": 1000, "seconds_a_step": 0.05}
    headers = {"Accept": "text/event-stream"}
    with server.client.stream("POST", "/", json=body, headers=headers) as response:
        events = read_events(response.iter_lines())
        next(events)
        server.popen.send_signal(signal.SIGTERM)
        *_, state, error = list(events)
    status, log = server.finish(seconds=10)
    assert status == 0, log
    assert (state[0], error[0], error[1]["status"]) == ("state", "error", 503)
    assert 0 < state[1]["step"] < 100
    assert "Traceback" not in log


def test_an_idle_server_stops_at_once_even_with_an_open_connection(process: Start) -> None:
    server = process()
    assert server.client.post("/", json={"inputs": "x"}).status_code == 200
    began = time.monotonic()
    server.popen.send_signal(signal.SIGINT)
    status, _ = server.finish(seconds=10)
    assert status == 0
    assert time.monotonic() - began < 5


def test_it_stops_while_the_handler_is_still_loading(process: Start) -> None:
    server = process(
        """
        import time

        class EndpointHandler:
            def __init__(self, path="", report=None):
                report("compiling", None)
                time.sleep(60)
        """,
        until="compiling",
    )
    server.popen.send_signal(signal.SIGTERM)
    status, _ = server.finish(seconds=10)
    assert status == 0


def test_every_request_is_one_json_line_without_its_body(process: Start) -> None:
    server = process()
    server.client.post("/", json={"inputs": "a secret wish"}, headers={"Authorization": "Bearer hf_secret"})
    server.popen.send_signal(signal.SIGTERM)
    _, log = server.finish(seconds=10)
    lines = [json.loads(line) for line in log.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) == 1
    assert requests[0]["stage"] == "echo"
    assert (requests[0]["method"], requests[0]["path"], requests[0]["status"]) == ("POST", "/", 200)
    assert requests[0]["seconds"] >= 0
    assert "secret" not in log


def test_a_faults_traceback_is_in_the_log_only(process: Start) -> None:
    server = process("""
        class EndpointHandler:
            def __init__(self, path=""):
                pass

            def __call__(self, data):
                raise RuntimeError("broken")
    """)
    answer = server.client.post("/", json={"inputs": "x"})
    assert answer.json() == {"error": "RuntimeError: broken"}
    server.popen.send_signal(signal.SIGTERM)
    _, log = server.finish(seconds=10)
    faults = [json.loads(line) for line in log.splitlines() if "traceback" in line]
    assert len(faults) == 1
    assert "in __call__" in faults[0]["traceback"]
