"""PyTorch's zip files without PyTorch: tensors come out, programs don't run."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.checkpoint_files import Array, is_mapped, write_pickle
from triptych.checkpoints import CheckpointError
from triptych.checkpoints.pickles import map_pickle

TENSORS: dict[str, Array] = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.arange(4, dtype=np.float16).reshape(2, 2).T,
}


def test_tensors_are_read_where_they_lie(tmp_path: Path) -> None:
    arrays = map_pickle(write_pickle(tmp_path / "model.ckpt", {"a": TENSORS["a"]}), True).arrays
    np.testing.assert_array_equal(arrays["a"], TENSORS["a"])
    assert is_mapped(arrays["a"])


def test_strides_and_half_precision_are_as_they_were(tmp_path: Path) -> None:
    stored = TENSORS["b"]
    path = write_pickle(tmp_path / "model.ckpt", {"b": stored})
    array = map_pickle(path, True).arrays["b"]
    np.testing.assert_array_equal(array, stored)
    assert (array.dtype, array.strides) == (stored.dtype, stored.strides)


def test_nothing_is_read_unless_pickles_are_allowed(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "model.ckpt", TENSORS)
    with pytest.raises(CheckpointError, match=r"model\.ckpt: .*safetensors.*ALLOW_PICKLE=true"):
        map_pickle(path, False)


def test_what_a_trainer_leaves_behind_is_an_empty_shell(tmp_path: Path) -> None:
    left = b"cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n(K\x01tR"
    path = write_pickle(tmp_path / "model.ckpt", TENSORS, left)
    assert set(map_pickle(path, True).arrays) == {"a", "b"}


def test_a_program_in_the_pickle_is_refused_by_name_and_not_run(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    command = f"touch {witness}".encode()
    program = b"cos\nsystem\n(X" + len(command).to_bytes(4, "little") + command + b"tR"
    path = write_pickle(tmp_path / "model.ckpt", TENSORS, program)
    with pytest.raises(CheckpointError, match=r"model\.ckpt wants os\.system, .*it is refused"):
        map_pickle(path, True)
    assert not witness.exists()


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "model.ckpt", TENSORS)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CheckpointError, match=r"model\.ckpt is truncated"):
        map_pickle(path, True)


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    source, path = write_pickle(tmp_path / "whole.ckpt", TENSORS), tmp_path / "model.ckpt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[:4] if name.endswith("/0") else old.read(name))
    with pytest.raises(CheckpointError, match=r"model\.ckpt is damaged"):
        map_pickle(path, True)


def test_a_few_numbers_do_not_stand_for_a_huge_tensor(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "model.ckpt", {"a": np.broadcast_to(np.float32(1), (10**9, 10**9))})
    with pytest.raises(CheckpointError, match=r"model\.ckpt is damaged.*shape \(1000000000, 1000000000\)"):
        map_pickle(path, True)


def test_what_pytorch_would_not_have_compressed_is_refused(tmp_path: Path) -> None:
    source, path = write_pickle(tmp_path / "whole.ckpt", TENSORS), tmp_path / "model.ckpt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(CheckpointError, match=r"model\.ckpt is damaged.*data\.pkl is compressed"):
        map_pickle(path, True)


def test_another_zip_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.ckpt", "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match=r"model\.ckpt is a zip file, but not one of PyTorch's"):
        map_pickle(tmp_path / "model.ckpt", True)
