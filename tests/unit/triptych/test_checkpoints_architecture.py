"""What checkpoints say of themselves, in every layout; their tensors are holes in the files."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.checkpoint_files import (
    make_compvis_file,
    make_diffusers_folder,
    shapes_of,
    write_config,
    write_pickle,
    write_safetensors,
)
from triptych.checkpoints import Architecture, CheckpointError, inspect_checkpoint

END_OF_TEXT, EXCLAMATION_MARK = 49407, 0
VERSIONS = pytest.mark.parametrize(
    ("version", "width", "padding"), [("1", 768, END_OF_TEXT), ("2", 1024, EXCLAMATION_MARK)]
)
INPAINTING = pytest.mark.parametrize("inpainting", [False, True])


def make_folder(
    path: Path, version: str = "1", inpainting: bool = False, prediction: str = "epsilon"
) -> Path:
    """A model's folder without its weights."""
    make_diffusers_folder(path, version, inpainting, prediction, parts=[])
    write_config(path, "unet", version, inpainting)
    write_config(path, "text_encoder", version)
    return path


def change(path: Path, **settings: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


@VERSIONS
@INPAINTING
def test_a_folder_says_it_in_its_configuration(
    tmp_path: Path, version: str, width: int, padding: int, inpainting: bool
) -> None:
    folder = make_folder(tmp_path / "sd", version, inpainting)
    assert inspect_checkpoint(folder) == Architecture(width, 9 if inpainting else 4, "epsilon", 512, padding)


def test_a_folder_says_what_it_predicts_and_its_size(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "sd", "2", prediction="v_prediction")
    change(folder / "unet" / "config.json", sample_size=96)
    found = inspect_checkpoint(folder)
    assert (found.prediction_type, found.native_size) == ("v_prediction", 768)


@pytest.mark.parametrize("size", [None, 60, 10**9, [64, 64], "64", True])
def test_a_size_that_is_none_of_the_models_is_not_believed(tmp_path: Path, size: object) -> None:
    folder = make_folder(tmp_path / "sd")
    change(folder / "unet" / "config.json", sample_size=size)
    assert inspect_checkpoint(folder).native_size is None


def test_a_folder_without_a_unet_goes_by_its_text_encoder(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "sd", "2")
    (folder / "unet" / "config.json").unlink()
    found = inspect_checkpoint(folder)
    assert (found.context_width, found.in_channels) == (1024, None)


@VERSIONS
@INPAINTING
def test_a_single_file_goes_by_the_shapes_of_its_tensors(
    tmp_path: Path, version: str, width: int, padding: int, inpainting: bool
) -> None:
    file = make_compvis_file(tmp_path / "model.safetensors", version, inpainting, seed=None)
    channels = 9 if inpainting else 4
    assert inspect_checkpoint(file) == Architecture(width, channels, None, None, padding)


@VERSIONS
@pytest.mark.parametrize("layout", ["unet", "text_encoder", "text_encoder without text_model"])
def test_a_file_of_one_component_goes_by_its_shapes_too(
    tmp_path: Path, version: str, width: int, padding: int, layout: str
) -> None:
    component, _, bare = layout.partition(" without ")
    shapes = shapes_of(component, version, 9)
    shapes = {name.removeprefix(f"{bare}."): shape for name, shape in shapes.items()}
    file = write_safetensors(tmp_path / "model.safetensors", shapes, None)
    channels = 9 if component == "unet" else None
    assert inspect_checkpoint(file) == Architecture(width, channels, None, None, padding)


def test_a_vae_says_nothing(tmp_path: Path) -> None:
    file = write_safetensors(tmp_path / "vae.safetensors", shapes_of("vae"), None)
    assert inspect_checkpoint(file) == Architecture(None, None, None, None, END_OF_TEXT)


@pytest.mark.parametrize(("said", "meant"), [("v", "v_prediction"), ("epsilon", "epsilon")])
def test_a_single_file_says_in_its_metadata_what_it_predicts(tmp_path: Path, said: str, meant: str) -> None:
    remarks = {"modelspec.prediction_type": said}
    shapes = shapes_of("unet", "2")
    file = write_safetensors(tmp_path / "model.safetensors", shapes, None, **remarks)
    assert inspect_checkpoint(file).prediction_type == meant


def test_an_empty_tensor_can_say_that_it_predicts_velocity(tmp_path: Path) -> None:
    shapes = shapes_of("unet", "2") | {"v_pred": (0,)}
    file = write_safetensors(tmp_path / "model.safetensors", shapes, None)
    assert inspect_checkpoint(file).prediction_type == "v_prediction"


@pytest.mark.parametrize(
    ("yaml", "meant"),
    [
        ('model:\n  params:\n    parameterization: "v"\n    timesteps: 1000\n', "v_prediction"),
        ("model:\n  params:\n    parameterization: eps\n", "epsilon"),
        ("model:\n  params:\n    # parameterization: v\n    timesteps: 1000\n", "epsilon"),
    ],
)
def test_the_configuration_beside_a_single_file_says_it(tmp_path: Path, yaml: str, meant: str) -> None:
    file = write_safetensors(tmp_path / "model.safetensors", shapes_of("unet", "2"), None)
    (tmp_path / "model.yaml").write_text(yaml)
    assert inspect_checkpoint(file).prediction_type == meant


def test_a_pickle_is_looked_at_only_where_these_are_allowed(tmp_path: Path) -> None:
    kernel = np.zeros((320, 9, 3, 3), np.float32)
    file = write_pickle(tmp_path / "model.ckpt", {"model.diffusion_model.input_blocks.0.0.weight": kernel})
    with pytest.raises(CheckpointError, match="ALLOW_PICKLE=true"):
        inspect_checkpoint(file)
    assert inspect_checkpoint(file, allow_pickle=True).in_channels == 9


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(3, 3, 9, 320), (768, 320)], (768, 9)),
        ([(3, 3, 4, 320), (1024, 320)], (1024, 4)),
        ([(49408, 1024)], (1024, None)),
        ([(3, 3, 4, 512)], (None, None)),
    ],
    ids=["UNet 1.x for inpainting", "UNet 2.x", "text encoder", "decoder"],
)
def test_an_h5_file_goes_by_its_shapes_and_pads_as_keras_cv_does(
    tmp_path: Path, shapes: list[tuple[int, ...]], expected: tuple[int | None, int | None]
) -> None:
    with h5py.File(tmp_path / "model.h5", "w") as file:
        for index, shape in enumerate(shapes):
            file.create_dataset(f"layer_{index}/kernel:0", shape, np.float32)
    assert inspect_checkpoint(tmp_path / "model.h5") == Architecture(*expected, None, None, END_OF_TEXT)


@pytest.mark.parametrize(
    ("file", "settings", "sentence"),
    [
        (
            "model_index.json",
            {"_class_name": "StableDiffusionXLPipeline"},
            "made for StableDiffusionXLPipeline",
        ),
        ("model_index.json", {"_class_name": "FluxPipeline"}, "made for FluxPipeline"),
        ("model_index.json", {"_class_name": ["a"]}, "made for"),
        ("unet/config.json", {"cross_attention_dim": 2048}, "contexts of width 2048"),
        ("unet/config.json", {"in_channels": 8}, "takes 8 channels; 4, and 9 for inpainting, are served"),
        (
            "unet/config.json",
            {"block_out_channels": [320, 640, 1280]},
            r"its UNet has widths \[320, 640, 1280\]",
        ),
        ("unet/config.json", {"addition_embed_type": "text_time"}, "extra input text_time"),
        ("unet/config.json", {"time_cond_proj_dim": 256}, "distilled with guidance embedded"),
        ("scheduler/scheduler_config.json", {"prediction_type": "sample"}, "predicts sample"),
        ("scheduler/scheduler_config.json", {"prediction_type": ["v"]}, "predicts"),
    ],
)
def test_a_folder_of_another_model_is_refused(
    tmp_path: Path, file: str, settings: dict[str, Any], sentence: str
) -> None:
    folder = make_folder(tmp_path / "sd")
    change(folder / file, **settings)
    with pytest.raises(CheckpointError, match=rf"sd.*{sentence}"):
        inspect_checkpoint(folder)


@pytest.mark.parametrize("file", ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"])
def test_a_configuration_that_is_no_object_is_refused(tmp_path: Path, file: str) -> None:
    folder = make_folder(tmp_path / "sd")
    (folder / file).write_text("[]")
    with pytest.raises(CheckpointError, match=rf"{file} is damaged: it holds a list"):
        inspect_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "shape", "sentence"),
    [
        ("conditioner.embedders.1.model.ln_final.weight", (1280,), "seems to be Stable Diffusion XL"),
        ("model.diffusion_model.input_blocks.0.0.weight", (320, 5, 3, 3), "takes 5 channels"),
        (
            "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
            (320, 2048),
            "contexts of width 2048",
        ),
    ],
)
def test_a_file_of_another_model_is_refused(
    tmp_path: Path, name: str, shape: tuple[int, ...], sentence: str
) -> None:
    file = write_safetensors(tmp_path / "model.safetensors", {name: shape}, None)
    with pytest.raises(CheckpointError, match=rf"model\.safetensors.*{sentence}"):
        inspect_checkpoint(file)


def test_tensors_of_odd_shapes_say_nothing(tmp_path: Path) -> None:
    odd = {
        "conv_in.weight": np.zeros((), np.float32),
        "text_model.embeddings.token_embedding.weight": np.zeros(3),
    }
    save_file(odd, tmp_path / "model.safetensors")
    assert inspect_checkpoint(tmp_path / "model.safetensors").in_channels is None
