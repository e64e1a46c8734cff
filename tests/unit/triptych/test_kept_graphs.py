"""Graphs kept on the disk: a later start on OpenVINO finds the program that an earlier one made."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.running import inherited_environment

pytest.importorskip("openvino")

START = """
import sys, threading
import numpy as np
from triptych.compiled import CompiledPart
from triptych.programs import kept
from triptych.variants import chosen_variant
kept.WORTH_KEEPING = int(sys.argv[2])
states, variant = [], chosen_variant()
rng = np.random.default_rng(0)
inputs = {"latent": rng.standard_normal((2, *variant.latent), np.float32)}
part = CompiledPart(variant, "decoder", inputs, lambda state, _: states.append(state))
for thread in threading.enumerate():
    if thread.name == "keep":
        thread.join()
np.savez(sys.argv[1], output=part(**inputs), states=states)
"""
Output = npt.NDArray[np.float32]


def started(folder: Path, worth_keeping: int = 0) -> tuple[Output, list[str]]:
    """What the decoder gives after a start, and the states that it went through."""
    result = folder.parent / "result.npz"
    subprocess.run(
        [sys.executable, "-c", START, str(result), str(worth_keeping)],
        env={**inherited_environment(), "KERAS_BACKEND": "openvino", "WEIGHTS_DIR": str(folder)},
        check=True,
        timeout=300,
    )
    with np.load(result) as file:
        return file["output"], file["states"].tolist()


def graphs(folder: Path) -> list[Path]:
    return [path for path in (folder / "programs").glob("*") if path.is_dir()]


def test_a_later_start_gives_the_same_without_loading_the_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    first, states = started(folder)
    assert "loading" in states
    (kept,) = graphs(folder)
    assert sorted(file.name for file in kept.iterdir()) == ["graph.bin", "graph.xml", "weights.bin"]
    (folder / "programs" / "left-behind.partial").mkdir()
    again, states = started(folder)
    assert states == ["verifying", "compiling"]
    np.testing.assert_array_equal(first, again)


def test_a_damaged_graph_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    first, _ = started(folder)
    (kept,) = graphs(folder)
    with (kept / "weights.bin").open("r+b") as file:
        file.truncate(1000)
    (folder / "programs" / "left-behind.partial").mkdir()
    again, states = started(folder)
    assert "loading" in states
    np.testing.assert_array_equal(first, again)
    assert graphs(folder) == [kept]
    assert started(folder)[1] == ["verifying", "compiling"]


def test_a_small_model_is_not_kept(tmp_path: Path) -> None:
    started(tmp_path / "weights", worth_keeping=2**30)
    assert graphs(tmp_path / "weights") == []
