"""A real Redis server for tests, that they may kill and start again. Skipped where there is none."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running import free_port

SECONDS = 10
NEEDS = "needs redis-server (Debian: apt install redis-server)"


class RedisServer:
    """Keeps what it was told, as `compose/shared-jobs.yaml` has it, in this folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [
            *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "always", *options),
        ]
        self._log = folder / "redis.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("a") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=subprocess.STDOUT)
        end = time.monotonic() + SECONDS
        while not self._answers():
            assert time.monotonic() < end, self._log.read_text()[-2000:]
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """As new."""
        self.say("FLUSHALL")

    def _answers(self) -> bool:
        try:
            return self.say("PING").startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def say(self, command: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(100)


@contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip(NEEDS)
    server = RedisServer(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
