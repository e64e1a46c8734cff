"""A diffusion stage that tests kill and start again."""

import base64
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.running import ROOT, free_port, inherited_environment

RESTART_SECONDS = 60


class Diffusion:
    """A diffusion stage that the test kills and starts again, always on the same port."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {"STAGE": "diffusion", "PORT": str(self.port), "MAX_QUEUE": "64"}
        with self._log.open("a") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "host"],
                cwd=ROOT,
                env={**inherited_environment(), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def is_warm(self) -> bool:
        try:
            return requests.get(f"{self.url}/ready", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def wait(self) -> None:
        until = time.monotonic() + RESTART_SECONDS
        while not self.is_warm():
            assert time.monotonic() < until, self._log.read_text()[-2000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """As a machine that loses its power does: nothing under way is finished."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


@contextmanager
def mortal_diffusion(log: Path) -> Iterator[Diffusion]:
    stage = Diffusion(log)
    stage.start()
    try:
        stage.wait()
        yield stage
    finally:
        stage.kill()


def picture(answer: dict[str, Any]) -> bytes:
    """The file in an answer of the gateway."""
    return base64.b64decode(answer["images"][0]["data"])


def diffusion(answer: dict[str, Any]) -> dict[str, Any]:
    """What the diffusion stage did for it."""
    call: dict[str, Any] = answer["stages"][1]
    return call
