"""Participants are measured as if each were installed alone, and find what they need."""

import subprocess
import sys

import pytest

from benchmarks.participants import PARTS, example
from benchmarks.pictures import default_backends
from tests.running import ROOT

HIDE = "from benchmarks.participants import hide; hide('colorsys'); import colorsys"


def test_a_hidden_library_is_not_found() -> None:
    command = [sys.executable, "-c", HIDE]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError: No module named 'colorsys'" in ended.stderr


@pytest.mark.parametrize("part", PARTS)
def test_everyone_gets_the_same_inputs(part: str) -> None:
    first, second = example(part), example(part)
    assert all((first[name] == second[name]).all() for name in first)


def test_a_stage_runs_on_its_own_default_backend_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIFFUSION_BACKEND", raising=False)
    monkeypatch.setenv("DECODER_BACKEND", "torch")
    assert default_backends()["diffusion"] == "openvino"
    assert default_backends()["decoder"] == "torch"
