"""Clients that come at a steady rate, however many are refused: locust's side of `benchmarks.overload`.

Each asks for one picture every EVERY_SECONDS, and, where it was refused, once more after the seconds that it
was told. A line of JSON for each request goes to the file that ARRIVALS names.
"""

import json
import os
import time
from typing import Any

import gevent
from locust import HttpUser, constant_throughput, events, task

from benchmarks.overload import BODY, EVERY_SECONDS, RECORD
from benchmarks.overload_rows import REFUSED


class Client(HttpUser):  # type: ignore[misc]
    """One that comes back after so many seconds, whatever it was answered."""

    wait_time = constant_throughput(1 / EVERY_SECONDS)

    @task
    def picture(self) -> None:
        later = self._ask(again=False)
        if later:
            gevent.sleep(later)
            self._ask(again=True)

    def _ask(self, again: bool) -> int:
        """The seconds after which it may come again; 0 where it was not refused."""
        began = time.time()
        body = {**BODY, "seed": time.time_ns() % 2**32}
        with self.client.post("/v1/txt2img", json=body, catch_response=True, name="picture") as response:
            refused = response.status_code == REFUSED
            told = response.headers.get("Retry-After", "") if response.headers else ""
            sound = told.isdigit() if refused else response.status_code == 200
            response.success() if sound else response.failure(f"{response.status_code} {response.text[:200]}")
            _note(began, response.status_code, time.time() - began, told, again, sound)
            return int(told) if refused and sound else 0


def _note(began: float, status: int, seconds: float, told: str, again: bool, sound: bool) -> None:
    line = {
        "began": began,
        "status": status,
        "seconds": seconds,
        "told": told,
        "again": again,
        "sound": sound,
    }
    _record.write(f"{json.dumps(line)}\n")


_record = open(os.environ[RECORD], "w", buffering=1) if RECORD in os.environ else open(os.devnull, "w")  # noqa: SIM115


@events.quitting.add_listener
def _close(environment: Any, **_: Any) -> None:
    _record.close()
