"""Real servers over real handlers: files written for the test, loaded as the host loads any other."""

import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from host.server import Server
from host.settings import Settings
from tests.running import ROOT, free_port

from .batching import SOURCE, BatchingHandler, Ticket

Serve = Callable[..., httpx.Client]

ECHO = """
class EndpointHandler:
    def __init__(self, path=""):
        self.path = path

    def __call__(self, data):
        return data["inputs"]
"""


def write_handler(folder: Path, source: str, stage: str = "echo") -> Path:
    """Make `folder` a HANDLERS_DIR with one stage; returns it."""
    (folder / stage).mkdir(parents=True, exist_ok=True)
    (folder / stage / "handler.py").write_text(textwrap.dedent(source))
    return folder


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Return once `condition` holds; fail the test if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.02)


def metric(client: httpx.Client, name: str) -> float:
    """The value of a metric without labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return next(sample.value for family in families for sample in family.samples if sample.name == name)


def timing(answer: httpx.Response) -> dict[str, float]:
    """Milliseconds by the names of Server-Timing."""
    entries = re.findall(r"(\w+);dur=([\d.]+)", answer.headers["server-timing"])
    return {name: float(milliseconds) for name, milliseconds in entries}


def raw_post(body: object, accept: str = "*/*") -> bytes:
    """A request for a socket that is not read as a client would."""
    content = json.dumps(body).encode()
    head = f"POST / HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def read_events(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a stream as (name, data); a comment is (":", {})."""
    name = ""
    for line in lines:
        match line.partition(": "):
            case ["event", _, value]:
                name = value
            case ["data", _, value]:
                yield name, json.loads(value)
            case ["", _, _] if line:
                yield ":", {}


def is_in(client: httpx.Client, state: str) -> bool:
    """Whether a server answers, and says that it is in this state."""
    try:
        return bool(client.get("/ready").json()["state"] == state)
    except httpx.TransportError:
        return False


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A handler loaded in this process leaves no trace in it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("STAGE", raising=False)
    yield
    sys.modules.pop("handler", None)


Running = list[tuple[Server, threading.Thread, httpx.Client]]


@pytest.fixture
def running() -> Running:
    """The servers that a test has started."""
    return []


@pytest.fixture
def stop(running: Running) -> Callable[[], None]:
    """`stop()` tells the servers to stop, as a signal does."""

    def stop() -> None:
        for server, _, _ in running:
            server.stop()

    return stop


@pytest.fixture
def serve(tmp_path: Path, running: Running) -> Iterator[Serve]:
    """`serve(source, **settings)` serves a handler from a thread and returns a client of it once warm,
    or once in the state `until`."""

    def start(source: str = ECHO, *, until: str = "warm", **settings: object) -> httpx.Client:
        folder = write_handler(tmp_path, source)
        server = Server(
            Settings.model_validate({"stage": "echo", "handlers_dir": folder, "port": 0, **settings})
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        running.append((server, thread, client))
        wait_until(lambda: is_in(client, until))
        return client

    yield start
    for server, thread, client in running:
        client.close()
        server.stop()
        thread.join(timeout=15)
        assert not thread.is_alive()


class Bench:
    """A served BatchingHandler: the client's side of it, and the engine's."""

    def __init__(self, client: httpx.Client, handler: BatchingHandler) -> None:
        self.client = client
        self.handler = handler

    def ticket(self, index: int = -1, count: int = 1) -> Ticket:
        """One of the tickets, once there are `count`."""
        wait_until(lambda: len(self.handler.tickets) >= count and bool(self.handler.tickets[index].notices))
        return self.handler.tickets[index]

    def post(self, inputs: str = "x", **fields: Any) -> httpx.Response:
        return self.client.post("/", json={"inputs": inputs, **fields})

    @contextmanager
    def stream(
        self, inputs: str = "x", accept: str = "text/event-stream", **fields: Any
    ) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
        """The events of one request; leaving the block leaves the stream."""
        body = {"inputs": inputs, **fields}
        with self.client.stream("POST", "/", json=body, headers={"Accept": accept}) as response:
            assert response.status_code == 200, response.read()
            yield read_events(response.iter_lines())

    def connect(self, accept: str = "*/*", **fields: Any) -> socket.socket:
        """The socket of a request that has been sent."""
        connection = socket.create_connection(("127.0.0.1", self.client.base_url.port or 0))
        connection.sendall(raw_post({"inputs": "x", **fields}, accept))
        return connection


@pytest.fixture
def bench(serve: Serve) -> Callable[..., Bench]:
    """`bench(**settings)` serves a BatchingHandler."""

    def start(**settings: object) -> Bench:
        client = serve(SOURCE, **settings)
        return Bench(client, BatchingHandler.made[-1])

    return start


class Process:
    """`python -m host` in a process of its own, as a container runs it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        port = free_port()
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "host"],
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'services'}",
                "STAGE": "echo",
                "HANDLERS_DIR": str(folder),
                "PORT": str(port),
                **environment,
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

    def finish(self, seconds: float) -> tuple[int, str]:
        """Its exit status and its log, once it has ended by itself."""
        _, log = self.popen.communicate(timeout=seconds)
        return self.popen.returncode, log

    def close(self) -> None:
        self.client.close()
        self.popen.kill()
        self.popen.communicate()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """`process(source, **environment)` starts the server as a process; it is killed after the test."""
    started: list[Process] = []

    def start(source: str = ECHO, *, until: str = "warm", **environment: str) -> Process:
        started.append(Process(write_handler(tmp_path, source), **environment))
        wait_until(lambda: is_in(started[-1].client, until))
        return started[-1]

    yield start
    for each in started:
        each.close()
