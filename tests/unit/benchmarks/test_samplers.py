"""Samplers are compared at the same number of calls, and called enough where they lose nothing."""

import argparse
from pathlib import Path

import pytest

from benchmarks import page, plot
from benchmarks.samplers import CALLS, WAYS, enough, standard_error, steps_of, trial, trial_name, write
from benchmarks.trial import Record
from triptych.samplers import SAMPLERS
from triptych.schedule import SCHEDULES

BASELINE = {5: 0.80, 9: 0.90, 25: 0.90}


def test_every_sampler_and_schedule_is_measured_at_every_number_of_calls() -> None:
    assert {sampler for sampler, _ in WAYS} == set(SAMPLERS) - {"euler"}
    assert {schedule for _, schedule in WAYS} == set(SCHEDULES) - {"range"}
    for sampler, _ in WAYS:
        assert [SAMPLERS[sampler].calls(steps_of(sampler, calls)) for calls in CALLS] == list(CALLS)
    assert (steps_of("heun", 25), steps_of("dpmpp_2m", 25)) == (13, 25)


def test_what_is_finished_is_known_again_in_the_same_run() -> None:
    one = trial("heun", "karras", argparse.Namespace(pictures=24))
    assert one.made({"trial": one.name, "arguments": dict(one.arguments)})


@pytest.mark.parametrize(
    ("shares", "fewest"),
    [
        ({5: 0.95, 9: 0.9, 25: 0.9}, 5),
        ({5: 0.88, 9: 0.9, 25: 0.9}, 9),
        ({5: 0.95, 9: 0.5, 25: 0.9}, 25),
        ({5: 0.95, 9: 0.9, 25: 0.5}, None),
        ({5: 0.89, 9: 0.89, 25: 0.89}, 5),
    ],
)
def test_enough_is_from_where_on_no_share_is_a_standard_error_below_the_baseline(
    shares: dict[int, float], fewest: int | None
) -> None:
    assert standard_error(0.9, 400) == pytest.approx(0.015)
    assert enough(shares, BASELINE, 400) == fewest


def test_nothing_is_enough_before_the_baseline_is_measured() -> None:
    assert enough({5: 1.0}, {5: 1.0}, 400) is None


def test_the_page_has_a_row_a_way_and_a_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- samplers: begin -->\n<!-- samplers: end -->\n")
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    monkeypatch.setattr(page.fill, "__defaults__", (readme,))
    drawn: dict[str, object] = {}
    monkeypatch.setattr(plot, "lines", lambda path, series, *names: drawn.update(series))
    done: Record = {"shares": {str(calls): 0.9 for calls in CALLS}}
    records = {trial_name(*way): done for way in WAYS[:2]} | {trial_name(*WAYS[2]): {"error": "no memory"}}
    write(records, 100)
    text = readme.read_text()
    assert f"| ddim | keras-cv |{' 0.900 |' * len(CALLS)} 3 |" in text
    assert "| ddim | trailing | failed: no memory |" in text
    assert "| heun | karras | not measured |" in text
    assert "standard error of ddim, keras-cv at 25 calls is 0.030" in text
    assert list(drawn) == ["ddim, keras-cv", "ddim, leading"]
