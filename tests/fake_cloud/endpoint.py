"""One fake endpoint: a bundle in a process of its own, the proxy before it, and the state of the two."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any, Literal

from tests.running import free_port

from .front import Front

State = Literal["scaled to zero", "starting", "running", "paused"]

SERVER = Path(__file__).with_name("server.py")
TOKEN = "hf_of_this_endpoint"
START_SECONDS = 240
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Received:
    """A request that reached the proxy, and how it was answered; status 0 if its connection was cut."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int


@dataclass
class FakeEndpoint:
    """A custom-handler repository in `bundle`, at `url`, for those who have the `token`.

    `env` is what an endpoint's settings would say. Scaled to zero it refuses with `cold_status` (502 is what
    it was formerly), and wakes in `wake_seconds` or however long its server needs. `cut_seconds` is the
    proxy's patience with an answer; then it says `cut_status`, or cuts the connection if that is None.
    The server starts when it is first needed, and is kept when the endpoint is scaled to zero or paused, so
    that tests are short: only the proxy's answers tell.
    """

    bundle: Path
    workplace: Path
    state: State = "running"
    token: str = TOKEN
    env: Mapping[str, str] = field(default_factory=dict)
    wake_seconds: float = 0.0
    cold_status: int = 503
    cut_seconds: float | None = None
    cut_status: int | None = 504
    front: int = 0
    port: int = field(default_factory=free_port)
    received: list[Received] = field(default_factory=list)
    wakes: int = 0
    """How often it was woken."""
    _process: subprocess.Popen[bytes] | None = None
    _changed: Condition = field(default_factory=Condition)
    _closing: Event = field(default_factory=Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.front}"

    @property
    def log(self) -> Path:
        """What the server wrote."""
        return self.workplace / "log"

    def scale_to_zero(self) -> None:
        self._become("scaled to zero")

    def pause(self) -> None:
        self._become("paused")

    def resume(self) -> None:
        """A paused endpoint runs again, as a person makes it."""
        self.start()
        self._become("running")

    def asked(self, hold: float) -> State:
        """The state in which a request finds it, which wakes it if need be and waits for `hold` seconds."""
        with self._changed:
            if self.state == "scaled to zero":
                self.state = "starting"
                self.wakes += 1
                Thread(target=self._wake).start()
            self._changed.wait_for(lambda: self.state != "starting", hold)
            return self.state

    def note(self, method: str, path: str, headers: Mapping[str, str], status: int) -> None:
        self.received.append(Received(method, path, headers, status))

    def start(self) -> None:
        """Have the server answer. Raises AssertionError with its log if it does not."""
        if self._process is None:
            self._process = _serve(self.bundle, self.port, self.workplace, self.env)
        begin = time.monotonic()
        while time.monotonic() - begin < START_SECONDS and self._process.poll() is None:
            if _answers(self.port):
                return
            if self._closing.wait(0.05):
                return
        raise AssertionError(
            f"the endpoint did not start; its log ends with:\n{self.log.read_text()[-3000:]}"
        )

    def close(self) -> None:
        self._closing.set()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _become(self, state: State) -> None:
        with self._changed:
            self.state = state
            self._changed.notify_all()

    def _wake(self) -> None:
        begin = time.monotonic()
        self.start()
        self._closing.wait(max(0.0, self.wake_seconds - (time.monotonic() - begin)))
        with self._changed:
            if self.state == "starting":
                self._become("running")


@contextmanager
def fake_endpoint(bundle: Path, workplace: Path, **options: Any) -> Iterator[FakeEndpoint]:
    """An endpoint for the bundle until the end of the block; if it is `running`, given once it answers.

    `workplace` is an empty folder, or one that is not there yet, for its log and its home. The options are
    FakeEndpoint's fields.
    """
    workplace.mkdir(parents=True, exist_ok=True)
    endpoint = FakeEndpoint(bundle.resolve(), workplace, **options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Front,), {"endpoint": endpoint}))
    endpoint.front = server.server_port
    thread = Thread(target=server.serve_forever, args=(POLL_SECONDS,))
    thread.start()
    try:
        if endpoint.state == "running":
            endpoint.start()
        yield endpoint
    finally:
        endpoint.close()
        server.shutdown()
        thread.join()
        server.server_close()


def _serve(bundle: Path, port: int, home: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """The server's process: isolated, elsewhere, with an environment of its own."""
    plain = {"PATH": os.environ["PATH"], "HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3", "BATCH_ROWS": "2"}
    with (home / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-I", str(SERVER), str(bundle), str(port)],
            cwd=home,
            env={**plain, **env},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _answers(port: int) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=2)) as server, suppress(OSError, HTTPException):
        server.request("GET", "/health")
        return server.getresponse().status == 200
    return False
