"""Servers of ours that tests kill, stop and start again, always on the same port."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import requests

from tests.running import ROOT, STOP_SECONDS, free_port, inherited_environment

START_SECONDS = 400
"""A machine with much else to do is slow to start four stages."""
RESTART_PAUSE = 0.5


def until(happened: Callable[[], bool], seconds: float, pause: float = 0.02) -> float:
    """Returns once it has happened, with the seconds that it took; fails where it does not in time."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < seconds, f"waited {seconds:g} s in vain"
        time.sleep(pause)
    return time.monotonic() - began


class Mortal:
    """`python -m module`, behind the words of a `prefix` that ends in executing it. `environment` may name
    the port as `{port}`."""

    def __init__(self, module: str, log: Path, prefix: Sequence[str] = (), **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self._command = [*prefix, sys.executable, "-m", module]
        self._environment = {name: value.format(port=self.port) for name, value in environment.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self._supervised = False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, **environment: str) -> None:
        """With more in its environment; not waited for."""
        with self.log.open("a") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env={**inherited_environment(), **self._environment, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def supervise(self) -> None:
        """From now on it is started again whenever it ends, as compose and supervisor do."""
        self._supervised = True
        threading.Thread(target=self._supervise, daemon=True).start()

    def _supervise(self) -> None:
        while self._supervised:
            assert self._process is not None
            self._process.wait()
            time.sleep(RESTART_PAUSE)
            if self._supervised:
                self.start()

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/ready", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def state(self) -> str:
        """What a stage says of itself; empty where it says nothing."""
        try:
            return str(requests.get(f"{self.url}/ready", timeout=5).json()["state"])
        except (requests.RequestException, KeyError):
            return ""

    def wait(self) -> None:
        """Until it is ready."""
        try:
            until(self.is_ready, START_SECONDS, 0.05)
        except AssertionError:
            raise AssertionError(f"not ready; its log ends with:\n{self.log.read_text()[-2000:]}") from None

    def signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """As a machine that loses its power does: nothing under way is finished."""
        process = self._process
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def terminate(self) -> None:
        """As whoever stops a container does."""
        process = self._process
        if process is not None:
            process.terminate()
            process.wait(STOP_SECONDS)

    def close(self) -> None:
        """For good."""
        self._supervised = False
        self.kill()
