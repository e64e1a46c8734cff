from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from triptych.checkpoints import CheckpointError, load_safetensors, save_safetensors

ROWS = np.array([1, 4, 5], np.int32)


def network(width: int = 3, words: int = 8) -> keras.Model:
    tokens = keras.Input((2,), dtype="int32")
    x = keras.layers.Embedding(words, 4, name="table")(tokens)
    return keras.Model(tokens, keras.layers.Dense(width, name="out")(x))


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, keras.Model]:
    model = network()
    path = tmp_path / "weights.safetensors"
    save_safetensors(path, {"part": model}, {"part/table/0": ROWS}, {"name": "test"})
    return path, model


def test_another_model_of_the_same_layers_gets_the_weights(saved: tuple[Path, keras.Model]) -> None:
    path, model = saved
    other = network()
    load_safetensors(other, path, "part")
    assert np.allclose(other.get_layer("out").kernel, model.get_layer("out").kernel, atol=1e-3)


def test_rows_that_are_not_in_use_come_back_as_one_shared_row(saved: tuple[Path, keras.Model]) -> None:
    path, model = saved
    other = network()
    load_safetensors(other, path, "part")
    before, after = (np.asarray(m.get_layer("table").embeddings) for m in (model, other))
    assert np.allclose(after[ROWS], before[ROWS], atol=1e-3)
    assert np.allclose(after[[0, 2, 3, 6, 7]], before[0], atol=1e-3)


def test_the_file_is_float16_and_says_what_it_is(saved: tuple[Path, keras.Model]) -> None:
    tensors = load_file(saved[0])
    assert tensors["part/out/0"].dtype == np.float16
    assert tensors["part/table/0/rows"].shape == (3, 4)
    assert b'"name":"test"' in saved[0].read_bytes()


def test_a_missing_tensor_is_named_with_the_shape_it_must_have(saved: tuple[Path, keras.Model]) -> None:
    with pytest.raises(CheckpointError, match=r"other/table/0 of shape \(8, 4\) is missing"):
        load_safetensors(network(), saved[0], "other")


def test_a_wrong_shape_is_named_with_both_shapes(saved: tuple[Path, keras.Model]) -> None:
    with pytest.raises(CheckpointError, match=r"part/out/0 has shape \(4, 3\), the model needs \(4, 5\)"):
        load_safetensors(network(width=5), saved[0], "part")


def test_a_table_too_short_for_its_rows_is_refused(saved: tuple[Path, keras.Model]) -> None:
    with pytest.raises(CheckpointError, match=r"part/table/0 .*the model needs \(5, 4\)"):
        load_safetensors(network(words=5), saved[0], "part")


def test_a_tensor_that_the_model_has_not_is_named(saved: tuple[Path, keras.Model]) -> None:
    path = saved[0]
    save_file({**load_file(path), "part/more/0": np.zeros(2, np.float16)}, path)
    with pytest.raises(CheckpointError, match="part/more/0 is not in the model"):
        load_safetensors(network(), path, "part")


def test_every_user_may_read_the_file(saved: tuple[Path, keras.Model]) -> None:
    assert saved[0].stat().st_mode & 0o777 == 0o644


def test_saving_leaves_no_other_file_behind(saved: tuple[Path, keras.Model]) -> None:
    assert list(saved[0].parent.iterdir()) == [saved[0]]
