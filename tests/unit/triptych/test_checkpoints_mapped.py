"""safetensors files as mapped memory, and files that are no weights."""

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.checkpoint_files import DTYPES, Array, is_mapped, random_values, write_safetensors
from triptych.checkpoints import CheckpointError
from triptych.checkpoints.mapped import map_safetensors

TENSORS: dict[str, Array] = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array(2.5, np.float16),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / "model.safetensors", {"modelspec.prediction_type": "v"})
    return tmp_path / "model.safetensors"


def test_tensors_and_metadata_are_those_of_the_file(path: Path) -> None:
    stored = map_safetensors(path)
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(stored.arrays[name], array)
        assert stored.arrays[name].dtype == array.dtype
    assert stored.metadata == {"modelspec.prediction_type": "v"}


def test_tensors_are_views_of_the_mapped_file(path: Path) -> None:
    assert is_mapped(map_safetensors(path).arrays["a"])


def test_writing_to_a_tensor_leaves_the_file_as_it_is(path: Path) -> None:
    before = path.read_bytes()
    map_safetensors(path).arrays["a"][:] = 7
    assert path.read_bytes() == before


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_floating_dtype_is_read(tmp_path: Path, dtype: str) -> None:
    path = write_safetensors(tmp_path / "x.safetensors", {"layer.weight": (3, 5)}, random_values(), dtype)
    array = map_safetensors(path).arrays["layer.weight"]
    assert array.dtype == (ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    np.testing.assert_allclose(
        array.astype(np.float32), random_values()("layer.weight", (3, 5)), rtol=0.01, atol=1e-3
    )


@pytest.mark.parametrize("kept", [5, 60, -3])
def test_a_truncated_file_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is (truncated|not a safetensors)"):
        map_safetensors(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [10**12, 2], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [3], "data_offsets": [-24, -12]},
        {"dtype": "F32", "shape": [2, 3], "data_offsets": [-24, 0]},
        {"dtype": "F32", "shape": [2, 3], "data_offsets": [10**9, 10**9 + 24]},
        {"dtype": "F32", "shape": [float("inf")], "data_offsets": [0, 24]},
        {"dtype": "F32", "shape": [-2, -3], "data_offsets": [0, 24]},
        {"dtype": "F32", "data_offsets": [0, 24]},
        [0, 24],
    ],
    ids=json.dumps,
)
def test_a_header_that_does_not_fit_what_follows_is_refused(tmp_path: Path, entry: object) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(with_header({"a": entry}) + bytes(24))
    with pytest.raises(CheckpointError, match=r"model\.safetensors is truncated or damaged: its header"):
        map_safetensors(path)


def test_the_tensor_that_a_truncated_file_ends_in_is_named(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(
        CheckpointError, match=r"\(\w+, float32 of shape \([\d, ]+\), is at bytes \d+ to \d+ of \d+\)"
    ):
        map_safetensors(path)


def test_a_dtype_that_is_not_served_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(with_header({"a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}) + b"ab")
    with pytest.raises(CheckpointError, match=r"model\.safetensors has a in F8_E4M3, .*use one in float16"):
        map_safetensors(path)


def with_header(header: object) -> bytes:
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n",
            "is a Git LFS pointer.*git lfs pull",
        ),
        (b"\n<!doctype html><html>", "is a page of a website.*resolve"),
        (b"Entry not found\n", "is a text file, not weights"),
        (b"\x20\0\0\0\0\0\0\0{" + b"\xff" * 100, "is damaged: its header"),
        ((10**6).to_bytes(8, "little") + b'{"a":' + b"[" * 10**6, "is damaged: its header"),
        ((10**12).to_bytes(8, "little") + b"{}", "is not a safetensors file"),
        (bytes(range(256)), "is not a safetensors file"),
    ],
)
def test_what_is_no_weights_is_called_what_it_is(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"model\.safetensors {sentence}"):
        map_safetensors(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not there"):
        map_safetensors(tmp_path / "model.safetensors")
