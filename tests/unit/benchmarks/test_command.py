"""--only names what is measured."""

import argparse
from pathlib import Path

import pytest

from benchmarks.child import Report
from benchmarks.command import chosen, run_beside
from benchmarks.results import Results
from benchmarks.trial import Trial

NAMES = ("keras-cv/diffusion", "keras-cv/decoder", "keras-cv-plain/decoder", "triptych")
TRIALS = [Trial(name, "module:function", {}) for name in NAMES]


def report_nothing(report: Report) -> None:
    pass


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ("*", NAMES),
        ("keras-cv", NAMES[:2]),
        ("*/decoder", NAMES[1:3]),
        ("triptych, keras-cv/decoder", (NAMES[1], NAMES[3])),
    ],
)
def test_names_choose_in_the_order_of_the_list(only: str, names: tuple[str, ...]) -> None:
    assert tuple(trial.name for trial in chosen(TRIALS, only)) == names


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(SystemExit, match="--only keras: there is no such measurement; --list names them"):
        chosen(TRIALS, "keras")


def test_a_choice_among_groups_runs_those_of_each_group_and_no_empty_one(tmp_path: Path) -> None:
    target = "tests.unit.benchmarks.test_command:report_nothing"
    groups = [[Trial(name, target, {}) for name in group] for group in ("ab", "cd", "ef")]
    options = argparse.Namespace(only="a,c,d", fresh=False, cache=tmp_path)
    results = Results(tmp_path / "results")
    run_beside(groups, options, results)
    assert set(results.latest([trial for group in groups for trial in group])) == {"a", "c", "d"}
