"""Trials that are measured beside each other go on one at a time, always in the same order."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.child import Report
from benchmarks.trial import Record, Trial
from benchmarks.turns import Turns

ROUNDS = 3


def take_turns(report: Report, name: str, file: str) -> None:
    for part in ("started", *map(str, range(ROUNDS))):
        with Path(file).open("a") as lines:
            lines.write(f"{json.dumps([name, part])}\n")
        report.turn()


def fail(report: Report, name: str, file: str) -> None:
    report.turn()
    raise ValueError("no picture")


def run_all(tmp_path: Path, **functions: str) -> tuple[list[tuple[str, str]], dict[str, Record]]:
    file = tmp_path / "lines"
    turns = Turns(list(functions))

    def run(name: str) -> Record:
        target = f"tests.unit.benchmarks.test_turns:{functions[name]}"
        return Trial(name, target, {"name": name, "file": str(file)}).run(tmp_path / name, turns)

    with ThreadPoolExecutor(len(functions)) as pool:
        records = dict(zip(functions, pool.map(run, functions), strict=True))
    return [tuple(json.loads(line)) for line in file.read_text().splitlines()], records


def test_all_are_started_one_after_the_other_then_each_has_its_turn(tmp_path: Path) -> None:
    lines, records = run_all(tmp_path, b="take_turns", a="take_turns", c="take_turns")
    assert lines == [(name, part) for part in ("started", "0", "1", "2") for name in "bac"]
    assert not any("error" in record for record in records.values())


def test_one_that_fails_lets_the_others_go_on(tmp_path: Path) -> None:
    lines, records = run_all(tmp_path, a="fail", b="take_turns")
    assert [part for _, part in lines] == ["started", "0", "1", "2"]
    assert records["a"]["error"] == "ValueError: no picture"


def test_alone_it_is_always_its_turn(tmp_path: Path) -> None:
    arguments = {"name": "a", "file": str(tmp_path / "lines")}
    record = Trial("a", "tests.unit.benchmarks.test_turns:take_turns", arguments).run(tmp_path / "log")
    assert "error" not in record


def test_a_turn_is_waited_for() -> None:
    turns, order = Turns(["first", "second"]), []
    begun = threading.Event()

    def second() -> None:
        begun.set()
        with turns.of("second"):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    assert begun.wait(10)
    with turns.of("first"):
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_who_is_done_is_waited_for_no_more(names: list[str]) -> None:
    turns = Turns(names)
    for name in names:
        with turns.of(name):
            pass
    with turns.of(names[0]) as turn:
        turn()
