""".h5 files that Keras itself has written, in small models of keras-cv's layers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from tests.checkpoint_files import is_mapped, small_text_encoder
from triptych.checkpoints import CheckpointError, fill, naming, open_checkpoint
from triptych.checkpoints.keras_files import h5_shapes
from triptych.models import kerascv
from triptych.skeleton import unfilled
from triptych.weights import unreported

# Keras' own writers, with numpy 2.4 and TensorFlow 2.21.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

UNET_PREFIXES = {
    kerascv.PaddedConv2D: ["first", "second"],
    kerascv.ResBlock: ["residual", "wider"],
    kerascv.SpatialTransformer: ["attention"],
    kerascv.Upsample: ["upsample"],
}


def small_unet() -> keras.Model:
    """Layers within layers, some of them in lists, some without weights."""
    latent, step, context = keras.Input((4, 4, 4)), keras.Input((8,)), keras.Input((3, 16))
    x = kerascv.PaddedConv2D(32, 3, padding=1)(latent)
    x = kerascv.ResBlock(32)([x, step])
    x = kerascv.ResBlock(64)([x, step])
    x = kerascv.SpatialTransformer(2, 32)([x, context])
    x = kerascv.Upsample(64)(x)
    x = kerascv.PaddedConv2D(4, 1)(keras.layers.Activation("swish")(x))
    return keras.Model([latent, step, context], x, name="small_unet")


def write_legacy(path: Path, model: keras.Model) -> Path:
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


def write_legacy_model(path: Path, model: keras.Model) -> Path:
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file.create_group("model_weights"), model)
    return path


def write_keras_3(path: Path, model: keras.Model) -> Path:
    weights = path.with_suffix(".weights.h5")
    model.save_weights(weights)
    return weights


WRITERS = pytest.mark.parametrize("write", [write_legacy, write_legacy_model, write_keras_3])
MODELS: dict[str, Callable[[], keras.Model]] = {"text_encoder": small_text_encoder, "diffusion": small_unet}


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    """With values."""
    return {part: build() for part, build in MODELS.items()}


@pytest.fixture
def text_encoder(models: dict[str, keras.Model]) -> keras.Model:
    return models["text_encoder"]


@pytest.fixture(scope="module")
def skeleton() -> keras.Model:
    with unfilled():
        return small_text_encoder()


@WRITERS
@pytest.mark.parametrize("part", MODELS)
def test_every_variable_gets_its_values(
    tmp_path: Path, monkeypatch: Any, write: Any, part: str, models: dict[str, keras.Model]
) -> None:
    monkeypatch.setitem(naming.PREFIXES, "diffusion", UNET_PREFIXES)
    usual = models[part]
    with unfilled():
        model = MODELS[part]()
    fill(model, part, open_checkpoint(write(tmp_path / "model.h5", usual), part), unreported)
    assert len(model.weights) == len(usual.weights)
    for found, expected in zip(model.weights, usual.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(found.value), np.asarray(expected.value))


def test_lists_of_names_in_pieces_are_put_together(
    tmp_path: Path, monkeypatch: Any, text_encoder: keras.Model, skeleton: keras.Model
) -> None:
    monkeypatch.setattr(legacy_h5_format, "HDF5_OBJECT_HEADER_LIMIT", 100)
    file = write_legacy(tmp_path / "model.h5", text_encoder)
    with h5py.File(file) as opened:
        assert "layer_names0" in opened.attrs and "layer_names" not in opened.attrs
    fill(skeleton, "text_encoder", open_checkpoint(file, "text_encoder"), unreported)
    for found, expected in zip(skeleton.weights, text_encoder.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(found.value), np.asarray(expected.value))


def test_tensors_are_views_of_the_mapped_file(
    tmp_path: Path, text_encoder: keras.Model, skeleton: keras.Model
) -> None:
    source = open_checkpoint(write_legacy(tmp_path / "model.h5", text_encoder), "text_encoder")
    source.attach(skeleton, "text_encoder")
    assert all(is_mapped(source.read(name)) for name in source.names())


@WRITERS
def test_shapes_are_read_without_a_model(tmp_path: Path, write: Any, text_encoder: keras.Model) -> None:
    shapes = h5_shapes(write(tmp_path / "model.h5", text_encoder))
    assert shapes == {tuple(variable.shape) for variable in text_encoder.weights}


@WRITERS
def test_a_file_of_another_part_is_refused(
    tmp_path: Path, write: Any, models: dict[str, keras.Model], skeleton: keras.Model
) -> None:
    source = open_checkpoint(write(tmp_path / "model.h5", models["diffusion"]), "text_encoder")
    with pytest.raises(
        CheckpointError, match=r"model\.(weights\.)?h5.*the file is of another part or version"
    ):
        source.attach(skeleton, "text_encoder")


@pytest.mark.parametrize("kept", [-200, 60, 3000])
@WRITERS
def test_a_truncated_file_is_refused(
    tmp_path: Path, write: Any, text_encoder: keras.Model, skeleton: keras.Model, kept: int
) -> None:
    file = write(tmp_path / "model.h5", text_encoder)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"h5 is truncated, damaged or no \.h5 file.*Download it again"):
        open_checkpoint(file, "text_encoder").attach(skeleton, "text_encoder")


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"<!doctype html>")
    with pytest.raises(CheckpointError, match=r"model\.h5 is a page of a website"):
        open_checkpoint(tmp_path / "model.h5", "text_encoder")


def integers(group: Any, name: str, shape: tuple[int, ...], folder: Path) -> None:
    group.create_dataset(name, data=np.ones(shape, np.int32))


def another_shape(group: Any, name: str, shape: tuple[int, ...], folder: Path) -> None:
    group.create_dataset(name, data=np.ones(shape[::-1], np.float32))


def kept_elsewhere(group: Any, name: str, shape: tuple[int, ...], folder: Path) -> None:
    secret = np.ones(shape, np.float32)
    (folder / "secret").write_bytes(secret.tobytes())
    group.create_dataset(name, shape, np.float32, external=[(str(folder / "secret"), 0, secret.nbytes)])


def virtual(group: Any, name: str, shape: tuple[int, ...], folder: Path) -> None:
    with h5py.File(folder / "secret.h5", "w") as file:
        file["secret"] = np.ones(shape, np.float32)
    layout = h5py.VirtualLayout(shape, np.float32)
    layout[...] = h5py.VirtualSource(folder / "secret.h5", "secret", shape)
    group.create_virtual_dataset(name, layout)


def linked(group: Any, name: str, shape: tuple[int, ...], folder: Path) -> None:
    with h5py.File(folder / "secret.h5", "w") as file:
        file["secret"] = np.ones(shape, np.float32)
    group[name] = h5py.ExternalLink(str(folder / "secret.h5"), "secret")


@pytest.mark.parametrize(
    ("put", "sentence"),
    [
        (integers, "does not have its numbers, in floating point, in this file"),
        (kept_elsewhere, "does not have its numbers, in floating point, in this file"),
        (virtual, "does not have its numbers, in floating point, in this file"),
        (linked, "is truncated, damaged or no .h5 file"),
        (
            another_shape,
            r"which is .*token_embedding\.weight, has shape \(8, 10\); the model needs \(10, 8\)",
        ),
    ],
)
def test_a_tensor_that_is_not_plainly_there_is_refused(
    tmp_path: Path, text_encoder: keras.Model, skeleton: keras.Model, put: Any, sentence: str
) -> None:
    file = write_legacy(tmp_path / "model.h5", text_encoder)
    with h5py.File(file, "r+") as opened:
        layer = opened[next(name for name in opened if "embedding" in name)]
        name = layer.attrs["weight_names"][0]
        shape = layer[name].shape
        del layer[name]
        put(layer, name, shape, tmp_path)
    with pytest.raises(CheckpointError, match=rf"model\.h5.*{sentence}"):
        open_checkpoint(file, "text_encoder").attach(skeleton, "text_encoder")
