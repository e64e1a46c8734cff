"""Real servers over real handlers: files written for the test, loaded as the host loads any other."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from host.server import Server
from host.settings import Settings
from tests.running import ROOT, free_port

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


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(source, **settings)` serves a handler from a thread and returns a client of it once warm,
    or once in the state `until`."""
    running: list[tuple[Server, threading.Thread, httpx.Client]] = []

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
