from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from .batching import SOURCE, BatchingHandler
from .conftest import Serve, read_events, wait_until, write_handler

BROKEN = """
    class EndpointHandler:
        def __init__(self, path=""):
            raise OSError("vae.safetensors: no such file")
"""
NAMED = """
    class EndpointHandler:
        def __init__(self, path="", report=None):
            report("loading", 0.5)

        def __call__(self, data):
            return {"second": data["inputs"]}

        def info(self):
            return {"stage": "second"}
"""


@pytest.fixture
def both(serve: Serve, tmp_path: Path) -> Callable[..., httpx.Client]:
    """`both(first, second, **settings)` serves the one handler, and the other as its façade `/second`."""

    def start(first: str = SOURCE, second: str = SOURCE, **settings: object) -> httpx.Client:
        write_handler(tmp_path, second, "second")
        return serve(first, facades="second", **settings)

    return start


def test_a_facade_is_constructed_beside_the_first_handler(both: Callable[..., httpx.Client]) -> None:
    both()
    first, second = BatchingHandler.made[-2:]
    assert first.beside is None
    assert second.beside is first


def test_a_facade_that_names_nothing_is_constructed_as_ever(both: Callable[..., httpx.Client]) -> None:
    client = both(second=NAMED)
    assert client.post("/second", json={"inputs": "x"}).json() == {"second": "x"}
    assert client.post("/second/predict", json={"inputs": "y"}).json() == {"second": "y"}
    assert client.get("/second/info").json() == {"stage": "second"}
    assert client.get("/info").json()["stage"] == "echo"


def test_a_facade_has_the_routes_of_a_stage(both: Callable[..., httpx.Client]) -> None:
    client = both()
    assert client.get("/second").text == client.get("/second/health").text == "Ok"
    ready = client.get("/second/ready")
    assert ready.status_code == 200
    assert (ready.json()["stage"], ready.json()["state"]) == ("second", "warm")
    assert ready.json()["programs"] == {"warm": 1, "of": 3}
    assert "events" in client.get("/second/info").json()["extras"]
    assert client.get("/second/nothing").status_code == 404
    body = {"inputs": "x", "seconds_a_step": 0.01}
    answer = client.post("/second", json=body, headers={"Accept": "text/event-stream"})
    assert [name for name, _ in read_events(answer.text.splitlines())][-1] == "answer"
    first, second = BatchingHandler.made[-2:]
    assert (first.started, second.started) == ([], ["x"])


def test_they_share_one_door_and_one_table_of_jobs(both: Callable[..., httpx.Client]) -> None:
    client = both(max_queue=0)
    second = BatchingHandler.made[-1]
    with ThreadPoolExecutor() as pool:
        call = pool.submit(client.post, "/second", json={"inputs": "x", "job_id": "a"})
        wait_until(lambda: len(second.tickets) == 1)
        assert client.post("/", json={"inputs": "x"}).status_code == 429
        assert client.delete("/second/jobs/a").status_code == client.delete("/jobs/a").status_code == 200
        second.tickets[0].advance()
        assert call.result().status_code == 499


def test_its_requests_are_counted_as_the_others_are(both: Callable[..., httpx.Client]) -> None:
    client = both(second=NAMED)
    client.post("/second", json={"inputs": "x"})
    client.post("/secondary", json={"inputs": "x"})
    text = client.get("/metrics").text
    assert 'stage_requests_total{route="predict",status="200"} 1.0' in text
    assert 'stage_requests_total{route="other",status="404"} 1.0' in text


def test_one_that_fails_to_load_leaves_the_first_alone(both: Callable[..., httpx.Client]) -> None:
    client = both(second=BROKEN)
    ready = client.get("/second/ready")
    assert (ready.status_code, ready.json()["state"]) == (503, "failed")
    assert ready.json()["error"] == "OSError: vae.safetensors: no such file"
    assert client.post("/second", json={"inputs": "x"}).status_code == 503
    assert client.post("/", json={"inputs": "x", "seconds_a_step": 0.01}).status_code == 200


def test_one_that_lacks_what_may_come_is_loaded_once_it_is_there(
    both: Callable[..., httpx.Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.facades.RETRY_SECONDS", 0.2)
    weights = tmp_path / "weights"
    client = both(
        second=f"""
            import os

            class EndpointHandler:
                def __init__(self, path=""):
                    if not os.path.exists({str(weights)!r}):
                        raise OSError("no weights")

                def __call__(self, data):
                    return "made"
        """
    )
    response = client.post("/second", json={"inputs": "x"})
    assert response.status_code == 503 and "it will be tried again" in response.text
    assert client.post("/", json={"inputs": "x", "seconds_a_step": 0.01}).status_code == 200
    weights.touch()
    wait_until(lambda: client.get("/second/ready").json()["state"] == "warm")
    assert client.post("/second", json={"inputs": "x"}).json() == "made"
    assert client.post("/", json={"inputs": "x", "seconds_a_step": 0.01}).status_code == 200


def test_nothing_is_served_beside_a_handler_that_failed_to_load(both: Callable[..., httpx.Client]) -> None:
    client = both(first=BROKEN, second=NAMED, until="failed")
    wait_until(lambda: client.get("/second/ready").json()["state"] == "failed")
    assert client.get("/second/ready").json()["error"] == "it is served beside echo, which failed"


def test_without_the_setting_there_is_no_such_route(serve: Serve, tmp_path: Path) -> None:
    write_handler(tmp_path, NAMED, "second")
    assert serve().post("/second", json={"inputs": "x"}).status_code == 404
