"""On a GPU all are compiled at the same time and measured one after another; who fails stops nobody else."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu
from benchmarks.child import Report
from benchmarks.gpu import BASELINE, CHIP, KERAS_CV, PARTICIPANTS, WORKS
from benchmarks.trial import Record, Trial

UNET = WORKS[0]
H100 = {"device": "NVIDIA H100 80GB HBM3", "operations": {"diffusion": 8e11, "decoder": 2.5e12}, "peak": 8e14}


def take_a_turn(report: Report, name: str, seconds: float, turns: str) -> None:
    time.sleep(seconds)
    with gpu.own_turn(report, name, turns):
        begin = time.monotonic()
        time.sleep(0.2)
        report.result(turn=[begin, time.monotonic()])


def fail(report: Report, name: str, seconds: float, turns: str) -> None:
    raise ValueError("no memory left on the device")


def hang(report: Report, name: str, seconds: float, turns: str) -> None:
    signal.alarm(1)
    time.sleep(60)


def parsed(*words: str, cache: Path) -> Namespace:
    return gpu.parser().parse_args([*words, "--cache", str(cache)])


def trial(function: str, name: str, cache: Path, seconds: float = 0) -> Trial:
    arguments = {"name": name, "seconds": seconds, "turns": str(gpu.turns(cache))}
    return Trial(name, f"tests.unit.benchmarks.test_gpu:{function}", arguments)


def record(seconds: float, compiled: float = 60) -> Record:
    marks = {"filled": {"seconds": 20.0}, "compiled": {"seconds": 20.0 + compiled}}
    return {"seconds": [seconds], "marks": marks}


def records(**of: Record) -> dict[str, Record]:
    known = {"diffusers": BASELINE, "keras_cv": KERAS_CV}
    return {CHIP: H100} | {gpu.trial_name(known[name], UNET): one for name, one in of.items()}


def state_of(process: "subprocess.Popen[bytes]") -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_turns_begin_when_all_are_ready_or_have_failed_and_never_overlap(tmp_path: Path) -> None:
    trials = [
        trial("take_a_turn", "quick/diffusion-2", tmp_path),
        trial("take_a_turn", "slow/diffusion-2", tmp_path, seconds=1),
        trial("fail", "failing", tmp_path),
        trial("hang", "hanging", tmp_path),
    ]
    kept: dict[str, Record] = {}
    gpu.measure_all(trials, parsed(cache=tmp_path), lambda one: kept.update({one["trial"]: one}))
    quick, slow = (kept[one.name] for one in trials[:2])
    assert quick["turn"][1] <= slow["turn"][0] or slow["turn"][1] <= quick["turn"][0]
    assert quick["turn"][1] - quick["turn"][0] >= 0.2
    assert kept["failing"]["error"] == "ValueError: no memory left on the device"
    assert kept["hanging"]["error"] == "ended by signal 14, which it had set itself as its time limit"


@pytest.mark.parametrize("fails", [False, True])
def test_another_process_is_stopped_while_calls_are_measured_and_goes_on_in_any_case(fails: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        try:
            with gpu.paused(process.pid):
                time.sleep(0.1)
                assert state_of(process) == "T"
                if fails:
                    raise OSError("the disk is full")
        except OSError:
            assert fails
        time.sleep(0.1)
        assert state_of(process) != "T"
        process.kill()


def test_a_process_that_has_ended_need_not_be_paused() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with gpu.paused(process.pid):
        pass


def test_there_is_a_trial_for_the_chip_and_for_each_kind_of_work_of_each_participant(tmp_path: Path) -> None:
    trials = gpu.all_trials(parsed("--side", "64", "--ready-seconds", "9", cache=tmp_path))
    assert len({one.name for one in trials}) == 1 + len(WORKS) * len(PARTICIPANTS)
    assert all(one.arguments["side"] == 64 and one.arguments["seconds"] == 9 for one in trials)
    assert all(one.environment["PATH"] == os.environ["PATH"] for one in trials)


def test_ours_runs_on_the_backend_that_it_is_named_for(tmp_path: Path) -> None:
    named = {one.name: one for one in gpu.all_trials(parsed(cache=tmp_path))}
    ours = named["triptych-torch/diffusion-2"]
    assert ours.environment["KERAS_BACKEND"] == "torch"
    assert ours.arguments["precision"] == "bfloat16"
    assert ours.environment["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


@pytest.mark.parametrize(("seconds", "peak", "expected"), [(0.002, 8e14, 1.0), (0.004, 8e14, 0.5)])
def test_the_share_of_the_peak_is_of_all_rows(seconds: float, peak: float, expected: float) -> None:
    assert gpu.share(UNET, seconds, H100, peak) == pytest.approx(expected)


def test_there_is_no_share_of_what_is_not_known() -> None:
    assert math.isnan(gpu.share(UNET, 1, {}, 8e14))
    assert math.isnan(gpu.datasheet({"device": "no GPU"}))
    assert gpu.percent(math.nan) is None


def test_a_row_compares_with_diffusers_and_with_both_peaks() -> None:
    row = gpu.row(KERAS_CV, UNET, records(diffusers=record(0.004), keras_cv=record(0.008)))
    assert row[2:] == [125, pytest.approx(8), 0.5, "25%", "20%", 60]


def test_a_failed_participant_says_so_and_the_others_have_their_numbers(tmp_path: Path) -> None:
    failed: dict[str, Any] = {"error": "ValueError: no memory left on the device"}
    gpu.write(records(diffusers=record(0.004), keras_cv=failed), tmp_path)
    tables = (tmp_path / "gpu.md").read_text()
    assert "| keras-cv on jax | mixed_bfloat16 | failed: ValueError: no memory left on the device |" in tables
    assert "| diffusers, torch.compile | bfloat16 | 250 | 4.00 | 1.00 | 50% | 40% | 60.0 |" in tables
    assert "NVIDIA H100" in tables
    assert len(json.loads((tmp_path / "gpu.json").read_text())["trials"]) == 3


def test_without_the_peak_the_rest_is_told(tmp_path: Path) -> None:
    gpu.write({CHIP: {"error": "killed"}, gpu.trial_name(BASELINE, UNET): record(0.004)}, tmp_path)
    tables = (tmp_path / "gpu.md").read_text()
    assert "The peak was not measured (killed)." in tables
    assert "| 250 | 4.00 | 1.00 | – | – | 60.0 |" in tables
