"""One measurement in a process of its own, so that it starts with fresh memory and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.memory import PeakMemory
from benchmarks.turns import Turns
from tests.running import ROOT, inherited_environment

Record = dict[str, Any]
SIGNALS: dict[int, str] = {
    signal.SIGKILL: ", as the system does when memory runs out",
    signal.SIGALRM: ", which it had set itself as its time limit",
}


@dataclass(frozen=True)
class Trial:
    """A function `target` ("module:function") called with a Report and `arguments` in a new process.

    `python` is the interpreter; `prefix` is put before the command.
    """

    name: str
    target: str
    arguments: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable
    prefix: Sequence[str] = ()

    def made(self, record: Record) -> bool:
        """Whether the record is of this trial with these very arguments."""
        arguments = json.loads(json.dumps(self.arguments))
        return (record["trial"], record["arguments"]) == (self.name, arguments)

    def run(self, log: Path, turns: Turns | None = None) -> Record:
        """The trial's record: marks (seconds since the start, memory at each in MB), peaks, results.

        A trial that fails has an `error` and what it reported before. `memory` is that of the process,
        unless it reports its own. It goes on only when it is its turn among those that share `turns`.
        """
        with (turns or Turns()).of(self.name) as turn:
            return self._run(log, turn)

    def _run(self, log: Path, turn: Callable[[], None]) -> Record:
        record: Record = {
            "trial": self.name,
            "arguments": dict(self.arguments),
            "begun": datetime.now(UTC).isoformat(timespec="seconds"),
            "load": os.getloadavg()[0],
            "marks": {},
        }
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as output:
            begin = time.monotonic()
            with self._started(output) as process, PeakMemory(process.pid) as peak:
                _collect(process, begin, record, turn)
        record.setdefault("memory", {"resident": peak.resident, "anonymous": peak.anonymous})
        if process.returncode:
            record["error"] = _reason(process.returncode, log)
        return record

    def _started(self, output: Any) -> subprocess.Popen[str]:
        command = [
            *self.prefix,
            self.python,
            "-m",
            "benchmarks.child",
            self.target,
            json.dumps(self.arguments),
        ]
        environment = {**inherited_environment(), "HF_HUB_OFFLINE": "1", **self.environment}
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )


def _collect(process: subprocess.Popen[str], begin: float, record: Record, turn: Callable[[], None]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for line in process.stdout:
            message = json.loads(line)
            if "turn" in message:
                turn()
                process.stdin.write("\n")
                process.stdin.flush()
            elif "mark" in message:
                seconds = message["at"] - begin
                record["marks"][message["mark"]] = {"seconds": seconds, "memory": message["memory"]}
                print(f"    {seconds:7.1f} s  {message['mark']}", flush=True)
            else:
                record |= message["result"]
        process.wait()
    except BaseException:
        process.kill()
        raise


def _reason(code: int, log: Path) -> str:
    if code < 0:
        return f"ended by signal {-code}{SIGNALS.get(-code, '')}"
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"ended with exit code {code}"
