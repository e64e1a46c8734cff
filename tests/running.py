"""Real servers for tests: the stages and the gateway as processes of their own, on free ports."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

ROOT = Path(__file__).parent.parent
START_SECONDS = 180
STOP_SECONDS = 15
BACKENDS = dict(
    line.split("_BACKEND=")
    for line in (ROOT / "compose" / "backends").read_text().splitlines()
    if not line.startswith("#")
)
"""As the stack has them, by the stage's name in upper case."""
BATCH_ROWS = "2"
"""Unless a test says otherwise: to compile larger batches in each of many stages would take the machine."""


@dataclass(frozen=True)
class Server:
    """A process that answers at `url`, and was ready after `seconds`."""

    url: str
    pid: int
    seconds: float

    def memory(self, field: str = "VmRSS") -> float:
        """The process's memory in MB: what it holds now, or at most ("VmHWM"). Linux only."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1024
        raise ValueError(f"{field} is not in /proc/{self.pid}/status")


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(module: str, environment: Mapping[str, str], log: Path, fails: bool = False) -> Iterator[Server]:
    """`python -m module` listening on a free port until the end of the block; given when it is ready.

    `environment` may name the port as `{port}`. If it `fails`, it is given once it says that it has failed.
    """
    port = free_port()
    own = {name: value.format(port=port) for name, value in environment.items()}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env={**inherited_environment(), **own},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        yield Server(url, process.pid, _seconds_until_ready(url, process, log, fails))
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@contextmanager
def running_stage(stage: str, log: Path, **environment: str) -> Iterator[Server]:
    """The stage of this name with the built-in model; given when it is warm."""
    with running("host", stage_environment(stage, **environment), log) as server:
        yield server


@contextmanager
def failing_stage(stage: str, log: Path, **environment: str) -> Iterator[Server]:
    """The stage of this name, whose handler cannot be loaded."""
    with running("host", stage_environment(stage, **environment), log, fails=True) as server:
        yield server


@contextmanager
def running_gateway(log: Path, **environment: str) -> Iterator[Server]:
    """The gateway; given when all its stages are ready."""
    with running("gateway", {"GATEWAY_PORT": "{port}", **environment}, log) as server:
        yield server


def stage_environment(stage: str, **environment: str) -> dict[str, str]:
    """What starts the stage of this name on the port `{port}`, on the backend that the stack has for it."""
    return {"STAGE": stage, "PORT": "{port}", "KERAS_BACKEND": BACKENDS[stage.upper()], **environment}


def inherited_environment() -> dict[str, str]:
    """The little of this process's environment that a server needs, and where our packages are."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    paths = f"{ROOT}:{ROOT / 'services'}"
    return {**kept, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", "BATCH_ROWS": BATCH_ROWS}


def _seconds_until_ready(url: str, process: subprocess.Popen[bytes], log: Path, fails: bool) -> float:
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < START_SECONDS and process.poll() is None:
        try:
            response = requests.get(f"{url}/ready", timeout=2)
            failed = response.status_code != 200 and response.json().get("state") == "failed"
            if response.status_code == 200 or failed:
                if failed == fails:
                    return passed
                break
        except (requests.ConnectionError, requests.Timeout):
            pass
        time.sleep(0.05)
    raise AssertionError(f"{url} did not become ready; its log ends with:\n{log.read_text()[-3000:]}")


def watchdogs() -> set[threading.Thread]:
    """Of the servers that run in this process (`triptych.watchdog`)."""
    return {thread for thread in threading.enumerate() if thread.name == "watchdog"}
