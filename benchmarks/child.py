"""The process of one trial: `python -m benchmarks.child module:function '{"argument": …}'`.

It calls the function with a Report and the arguments. What is reported goes to the process's first
standard output as JSON lines; whatever the libraries print there goes to standard error instead.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from benchmarks.machine import loaded_versions
from benchmarks.memory import held


class Report:
    """What a trial's process tells while it runs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def mark(self, name: str) -> None:
        """This point of the way has been reached now."""
        self._send({"mark": name, "at": time.monotonic(), "memory": held()})

    def turn(self) -> None:
        """Let those that are measured beside this one have their turns; comes back when it is this one's."""
        self._send({"turn": True})
        sys.stdin.readline()

    def result(self, **values: Any) -> None:
        """Values of the trial's record."""
        self._send({"result": values})

    def _send(self, message: dict[str, Any]) -> None:
        print(json.dumps(message), file=self._stream, flush=True)


def function(target: str) -> Callable[..., Any]:
    """The function that "module:function" names."""
    module, name = target.split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def main() -> None:
    target, arguments = sys.argv[1:]
    report = Report(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)
    function(target)(report, **json.loads(arguments))
    report.result(versions=loaded_versions())


if __name__ == "__main__":
    main()
