"""The parts of a model from every layout, against what its diffusers folder holds; all tensors are small."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.checkpoint_files import (
    Array,
    kohya_names,
    make_compvis_file,
    make_diffusers_folder,
    make_lora_file,
    random_values,
    write_pickle,
)
from triptych.checkpoints import CheckpointError, open_checkpoint
from triptych.checkpoints.opening import COMPONENTS

SIDE = 6
OWN = {
    "text_encoder": ("text_model.",),
    "diffusion": ("",),
    "decoder": ("decoder.", "post_quant_conv."),
    "image_encoder": ("encoder.", "quant_conv."),
}
VERSIONS = pytest.mark.parametrize("version", ["1", "2"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_diffusers_folder(tmp_path_factory.mktemp("checkpoints") / "sd", side=SIDE)


def weights(folder: Path, component: str) -> Path:
    return next((folder / component).glob("*.safetensors"))


def tensors(folder: Path, part: str) -> dict[str, Array]:
    stored = load_file(weights(folder, COMPONENTS[part].folder))
    return {name: array for name, array in stored.items() if name.startswith(OWN[part])}


def assert_holds(path: Path, part: str, expected: dict[str, Array], **options: bool) -> None:
    source = open_checkpoint(path, part, **options)
    assert source.names() == set(expected)
    for name, array in expected.items():
        # A projection of the VAE's attention is a 1×1 convolution in older files.
        assert source.shape(name)[: array.ndim] == array.shape
        np.testing.assert_array_equal(source.read(name).reshape(array.shape), array)


@pytest.mark.parametrize("part", OWN)
def test_a_folder_holds_every_part(folder: Path, part: str) -> None:
    assert_holds(folder, part, tensors(folder, part))


@pytest.mark.parametrize("part", OWN)
def test_the_folder_or_the_file_of_one_component_will_do(folder: Path, part: str) -> None:
    component = folder / COMPONENTS[part].folder
    assert_holds(component, part, tensors(folder, part))
    assert_holds(weights(folder, component.name), part, tensors(folder, part))


def test_a_file_in_half_precision_is_taken_where_there_is_no_other(folder: Path, tmp_path: Path) -> None:
    half = {name: array.astype(np.float16) for name, array in tensors(folder, "diffusion").items()}
    (tmp_path / "unet").mkdir()
    save_file(half, tmp_path / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    assert_holds(tmp_path, "diffusion", half)
    shutil.copy(weights(folder, "unet"), tmp_path / "unet")
    assert_holds(tmp_path, "diffusion", tensors(folder, "diffusion"))


def test_a_pickle_is_taken_where_these_are_allowed(folder: Path, tmp_path: Path) -> None:
    write_pickle(tmp_path / "diffusion_pytorch_model.bin", tensors(folder, "diffusion"))
    with pytest.raises(CheckpointError, match="ALLOW_PICKLE=true"):
        open_checkpoint(tmp_path, "diffusion")
    assert_holds(tmp_path, "diffusion", tensors(folder, "diffusion"), allow_pickle=True)


def write_index(folder: Path, files: object) -> Path:
    folder.mkdir(exist_ok=True)
    index = folder / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps(files))
    return folder


def test_shards_are_put_together(folder: Path, tmp_path: Path) -> None:
    stored = tensors(folder, "diffusion")
    shards = [f"diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for number, shard in enumerate(shards):
        save_file({name: stored[name] for name in list(stored)[number::2]}, tmp_path / shard)
    write_index(tmp_path, {"weight_map": {name: shards[number % 2] for number, name in enumerate(stored)}})
    assert_holds(tmp_path, "diffusion", stored)
    (tmp_path / shards[1]).unlink()
    with pytest.raises(CheckpointError, match=f"{shards[1]} is not there"):
        open_checkpoint(tmp_path, "diffusion")


@pytest.mark.parametrize("elsewhere", ["../secret.safetensors", "/etc/secret.safetensors", "a/b.safetensors"])
def test_an_index_that_names_files_elsewhere_is_refused(folder: Path, tmp_path: Path, elsewhere: str) -> None:
    shutil.copy(weights(folder, "unet"), tmp_path / "secret.safetensors")
    unet = write_index(tmp_path / "unet", {"weight_map": {"conv_in.weight": elsewhere}})
    with pytest.raises(CheckpointError, match=f"names {elsewhere}, which is not beside it: it is refused"):
        open_checkpoint(unet, "diffusion")


@pytest.mark.parametrize("content", [{}, {"weight_map": []}, {"weight_map": {}}])
def test_an_index_without_files_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(CheckpointError, match=r"index\.json does not say which files"):
        open_checkpoint(write_index(tmp_path, content), "diffusion")


@VERSIONS
@pytest.mark.parametrize("part", OWN)
def test_a_single_file_in_compvis_layout_holds_every_part(tmp_path: Path, version: str, part: str) -> None:
    file = make_compvis_file(tmp_path / "model.safetensors", version, side=SIDE)
    folder = make_diffusers_folder(tmp_path / "sd", version, side=SIDE)
    assert_holds(file, part, tensors(folder, part))


def test_a_single_pickle_of_a_training_program_will_do(folder: Path, tmp_path: Path) -> None:
    file = make_compvis_file(tmp_path / "model.safetensors", side=SIDE)
    ckpt = write_pickle(tmp_path / "model.ckpt", load_file(file))
    assert_holds(ckpt, "diffusion", tensors(folder, "diffusion"), allow_pickle=True)


@VERSIONS
@pytest.mark.parametrize(
    ("part", "prefix"),
    [
        ("diffusion", "model.diffusion_model."),
        ("decoder", "first_stage_model."),
        ("image_encoder", "first_stage_model."),
        ("text_encoder", "cond_stage_model."),
    ],
)
def test_a_component_alone_under_compvis_names_will_do(
    tmp_path: Path, version: str, part: str, prefix: str
) -> None:
    stored = load_file(make_compvis_file(tmp_path / "model.safetensors", version, side=SIDE))
    alone = tmp_path / "alone.safetensors"
    save_file(
        {name[len(prefix) :]: array for name, array in stored.items() if name.startswith(prefix)}, alone
    )
    folder = make_diffusers_folder(tmp_path / "sd", version, side=SIDE)
    assert_holds(alone, part, tensors(folder, part))


def test_weights_of_training_beside_the_model_are_left_out(folder: Path, tmp_path: Path) -> None:
    file = make_compvis_file(tmp_path / "model.safetensors", side=SIDE)
    stored = load_file(file)
    averages = {
        name.replace("model.diffusion", "model_ema.diffusion"): array for name, array in stored.items()
    }
    save_file({**averages, **stored, "first_stage_model.loss.logvar": np.zeros(1, np.float32)}, file)
    for part in OWN:
        assert_holds(file, part, tensors(folder, part))


@VERSIONS
def test_text_encoders_are_read_with_and_without_text_model_in_the_names(
    tmp_path: Path, version: str
) -> None:
    folder = make_diffusers_folder(tmp_path / "sd", version, parts=["text_encoder"], side=SIDE)
    expected, file = tensors(folder, "text_encoder"), weights(folder, "text_encoder")
    save_file({name.removeprefix("text_model."): array for name, array in expected.items()}, file)
    assert_holds(folder, "text_encoder", expected)


def test_positions_and_the_last_of_openclips_layers_are_left_out(tmp_path: Path) -> None:
    folder = make_diffusers_folder(tmp_path / "sd", "2", parts=["text_encoder"], side=SIDE)
    expected, file = tensors(folder, "text_encoder"), weights(folder, "text_encoder")
    more = {
        "text_model.embeddings.position_ids": np.arange(77)[None],
        "text_model.encoder.layers.23.mlp.fc1.weight": np.zeros((2, 2), np.float32),
        "text_projection.weight": np.zeros((2, 2), np.float32),
        "logit_scale": np.zeros((), np.float32),
    }
    save_file({**expected, **more}, file)
    assert_holds(folder, "text_encoder", expected)


@pytest.mark.parametrize(
    ("component", "part", "held"),
    [
        ("vae", "diffusion", "a VAE"),
        ("unet", "decoder", "a UNet"),
        ("text_encoder", "image_encoder", "a text encoder"),
    ],
)
def test_a_file_without_the_part_is_called_what_it_is(
    folder: Path, component: str, part: str, held: str
) -> None:
    file = weights(folder, component)
    with pytest.raises(CheckpointError, match=rf"{re.escape(file.name)} has no {part}: it holds {held}"):
        open_checkpoint(file, part)


def test_a_file_of_something_else_is_described_by_a_tensor(tmp_path: Path) -> None:
    save_file({"fc.weight": np.zeros(2, np.float32)}, tmp_path / "x.safetensors")
    with pytest.raises(
        CheckpointError, match=r"x\.safetensors has no decoder: it holds 1 tensors.*fc\.weight"
    ):
        open_checkpoint(tmp_path / "x.safetensors", "decoder")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has no file of weights: diffusers keeps them in"):
        open_checkpoint(tmp_path, "diffusion")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.safetensors is not there"):
        open_checkpoint(tmp_path / "gone.safetensors", "diffusion")


def lora(path: Path) -> Path:
    return make_lora_file(path, {"unet.conv_in": ((1, 2), (2, 1))}, kohya_names)


def one_tensor(name: str) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        save_file({name: random_values()(name, (2, 2))}, path)
        return path

    return write


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lora, "seems to be a LoRA, not a model: name it in LORA"),
        (one_tensor("conditioner.embedders.0.weight"), "seems to be Stable Diffusion XL;"),
        (one_tensor("add_embedding.linear_1.weight"), "seems to be Stable Diffusion XL;"),
        (one_tensor("model.diffusion_model.joint_blocks.0.weight"), "seems to be Stable Diffusion 3;"),
        (one_tensor("double_blocks.0.img_attn.qkv.weight"), "seems to be Flux;"),
        (one_tensor("control_model.input_blocks.0.weight"), "seems to be a ControlNet;"),
        (one_tensor("time_embedding.cond_proj.weight"), "seems to be a model distilled .*LCM"),
        (one_tensor("emb_params"), "seems to be a textual inversion;"),
    ],
)
def test_models_that_are_not_served_are_named(
    tmp_path: Path, write: Callable[[Path], Path], sentence: str
) -> None:
    with pytest.raises(CheckpointError, match=rf"x\.safetensors {sentence}"):
        open_checkpoint(write(tmp_path / "x.safetensors"), "diffusion")
