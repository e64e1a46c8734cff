"""A trial runs a function in a process of its own, and records what it reports."""

import os
import signal
from pathlib import Path
from typing import Any

from benchmarks.child import Report
from benchmarks.trial import Record, Trial

MEBIBYTE = 2**20


def hold(report: Report, megabytes: int) -> None:
    print("a library's chatter")
    held = bytearray(megabytes * MEBIBYTE)
    held[:: os.sysconf("SC_PAGE_SIZE")] = b"x" * len(held[:: os.sysconf("SC_PAGE_SIZE")])
    report.mark("held")
    report.result(process=os.getpid(), backend=os.environ.get("KERAS_BACKEND"))


def fail(report: Report) -> None:
    report.mark("begun")
    raise ValueError("the weights are of another model")


def be_killed(report: Report) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run(tmp_path: Path, function: str, **arguments: Any) -> Record:
    target = f"tests.unit.benchmarks.test_trial:{function}"
    return Trial("a trial", target, arguments, {"KERAS_BACKEND": "torch"}).run(tmp_path / "log")


def test_what_the_function_reports_is_in_the_record(tmp_path: Path) -> None:
    record = run(tmp_path, "hold", megabytes=1)
    assert record["process"] != os.getpid()
    assert record["backend"] == "torch"
    assert 0 < record["marks"]["held"]["seconds"] < 60
    assert "error" not in record


def test_what_a_library_prints_is_in_the_log_alone(tmp_path: Path) -> None:
    run(tmp_path, "hold", megabytes=1)
    assert "a library's chatter" in (tmp_path / "log").read_text()


def test_memory_is_that_of_the_process_at_its_most(tmp_path: Path) -> None:
    little, much = (run(tmp_path, "hold", megabytes=size) for size in (1, 101))
    assert (
        95
        < much["marks"]["held"]["memory"]["anonymous"] - little["marks"]["held"]["memory"]["anonymous"]
        < 105
    )
    assert 95 < much["memory"]["resident"] - little["memory"]["resident"] < 105


def test_a_failure_is_recorded_with_its_reason_and_what_was_reported_before(tmp_path: Path) -> None:
    record = run(tmp_path, "fail")
    assert record["error"] == "ValueError: the weights are of another model"
    assert list(record["marks"]) == ["begun"]


def test_a_killed_process_is_said_to_have_been_killed(tmp_path: Path) -> None:
    assert run(tmp_path, "be_killed")["error"].startswith("ended by signal 9")
