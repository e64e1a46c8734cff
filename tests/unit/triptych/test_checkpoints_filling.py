"""A small text encoder of keras-cv's layers, filled from a file; and files that do not fit it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.checkpoint_files import (
    Shapes,
    random_values,
    small_text_encoder,
    small_text_shapes,
    write_safetensors,
)
from triptych.checkpoints import CheckpointError, fill, open_checkpoint
from triptych.checkpoints.naming import named_variables
from triptych.skeleton import unfilled
from triptych.weights import unreported

VALUES = random_values()
TABLE = "text_model.embeddings.token_embedding.weight"
DENSE = "text_model.encoder.layers.1.mlp.fc1.weight"


@pytest.fixture
def model() -> keras.Model:
    with unfilled():
        return small_text_encoder()


def fill_from(
    path: Path, model: keras.Model, shapes: Shapes, report: Any = unreported, dtype: str = "float32"
) -> None:
    file = write_safetensors(path / "small.safetensors", shapes, VALUES, dtype)
    fill(model, "text_encoder", open_checkpoint(file, "text_encoder"), report)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_every_variable_has_its_tensor_in_keras_order(tmp_path: Path, model: keras.Model, dtype: str) -> None:
    shapes = small_text_shapes()
    fill_from(tmp_path, model, shapes, dtype=dtype)
    named = named_variables(model, "text_encoder")
    assert len(named) == len(model.weights) == len(shapes)
    for entry in named:
        expected = VALUES(entry.name, shapes[entry.name])
        expected = expected if "embedding" in entry.name else expected.T
        np.testing.assert_allclose(np.asarray(entry.variable.value), expected, rtol=0.01, atol=1e-3)
        assert entry.variable.dtype == "float32"


def test_a_filled_model_computes(tmp_path: Path, model: keras.Model) -> None:
    fill_from(tmp_path, model, small_text_shapes())
    tokens = np.array([[1, 2, 3, 0]], np.int32)
    context = np.asarray(model([tokens, np.arange(4, dtype=np.int32)[None]]))
    assert context.shape == (1, 4, 8) and np.isfinite(context).all() and context.std() > 0.1


def test_progress_goes_up_to_all_of_it(tmp_path: Path, model: keras.Model) -> None:
    reported: list[tuple[str, float]] = []
    fill_from(tmp_path, model, small_text_shapes(), lambda *state: reported.append(state))
    shares = [share for _, share in reported]
    assert {state for state, _ in reported} == {"loading"}
    assert shares == sorted(shares) and shares[-1] == 1


def without(name: str) -> Callable[[Shapes], Shapes]:
    return lambda shapes: {key: shape for key, shape in shapes.items() if key != name}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without(DENSE), rf"{DENSE} is missing; the text_encoder needs it with shape \(32, 8\)"),
        (lambda shapes: shapes | {DENSE: (8, 32)}, rf"{DENSE} has shape \(8, 32\); .* needs \(32, 8\)"),
        (lambda shapes: shapes | {TABLE: (11, 8)}, rf"{TABLE} has shape \(11, 8\); .* needs \(10, 8\)"),
        (
            lambda shapes: shapes | {"text_model.encoder.layers.2.mlp.fc1.bias": (32,)},
            r"layers\.2\.mlp\.fc1\.bias of shape \(32,\) is not in the text_encoder \(1 tensors",
        ),
    ],
    ids=["missing", "transposed", "larger", "left over"],
)
def test_a_file_that_does_not_fit_is_refused_before_anything_is_placed(
    tmp_path: Path, model: keras.Model, change: Callable[[Shapes], Shapes], sentence: str
) -> None:
    with pytest.raises(CheckpointError, match=rf"small\.safetensors: .*{sentence}"):
        fill_from(tmp_path, model, change(small_text_shapes()))
    assert all(variable._value is None for variable in model.weights)
