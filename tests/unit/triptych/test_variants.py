"""What the environment makes of the variants; a checkpoint's own files are made small enough for that."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from tests import tiny
from triptych.checkpoints import CheckpointError
from triptych.hub import HubFile
from triptych.locations import LocalPath, RemoteFile
from triptych.selection import SETTINGS, SelectionError
from triptych.variants import SD1, VARIANTS, Variant, chosen_variant
from triptych.weights import Checkpoint

PARTS = {"text_encoder", "diffusion", "decoder", "image_encoder"}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS.keys() - {"KERAS_BACKEND"}:
        monkeypatch.delenv(name, raising=False)


def chosen(monkeypatch: pytest.MonkeyPatch, **environment: object) -> Variant:
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    return chosen_variant()


def weights(variant: Variant, part: str) -> Checkpoint:
    found = variant.parts[part].weights
    assert isinstance(found, Checkpoint)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The configuration of a 1.x in diffusers' layout."""
    root = tmp_path / "my-model"
    configure(root, {"cross_attention_dim": 768, "in_channels": 4, "sample_size": 64}, "epsilon")
    return root


def configure(root: Path, unet: dict[str, Any], prediction: str) -> None:
    for name, content in {
        "model_index.json": {"_class_name": "StableDiffusionPipeline"},
        "unet/config.json": unet,
        "scheduler/scheduler_config.json": {"prediction_type": prediction},
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps(content))


def test_the_built_in_model_is_the_default() -> None:
    assert chosen_variant() == VARIANTS["tiny"]


def test_the_built_in_model_has_the_shapes_that_tests_take_it_to_have() -> None:
    shapes = chosen_variant().shapes("context", "latent", "image", "mask")
    assert tuple(shapes.values()) == (tiny.CONTEXT, tiny.LATENT, tiny.IMAGE, tiny.MASK)


def test_the_environment_chooses_the_variant_and_how_it_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    variant = chosen(monkeypatch, SD_VERSION="1.4", DTYPE="bfloat16", MAX_COMPILED_SIZES=3)
    assert (variant.title, variant.dtype, variant.max_compiled_sizes) == (
        "Stable Diffusion 1.4",
        "bfloat16",
        3,
    )


def test_an_unknown_version_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SelectionError, match=r"SD_VERSION must be one of tiny, 1.4, 2; got '3'"):
        chosen(monkeypatch, SD_VERSION="3")


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_has_every_part_and_consistent_shapes(name: str) -> None:
    variant = VARIANTS[name]
    assert set(variant.parts) == PARTS
    shapes = variant.shapes("context", "latent", "image", "mask")
    side = variant.image_size
    assert shapes["latent"] == variant.latent == (side // 8, side // 8, 4)
    assert shapes["image"] == (side, side, 3)
    assert shapes["mask"] == (side, side, 1)
    assert shapes["context"] == (77, variant.context_width)


def test_shapes_follow_the_size_that_is_asked_for() -> None:
    shapes = VARIANTS["1.4"].shapes("latent", "image", "context", size=(512, 768))
    assert shapes == {"latent": (64, 96, 4), "image": (512, 768, 3), "context": (77, 768)}


def test_a_folder_says_what_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = chosen(monkeypatch, MODEL=folder)
    assert (variant.name, variant.title) == ("1.x", "my-model")
    assert (variant.context_width, variant.unet_channels, variant.image_size) == (768, 4, 512)
    assert (variant.prediction, variant.padding_token) == ("epsilon", 49407)
    assert {weights(variant, part).location for part in PARTS} == {LocalPath(folder)}


def test_version_2_at_768_pixels_predicts_velocity_and_pads_with_zeros(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unet = {"cross_attention_dim": 1024, "in_channels": 9, "sample_size": 96}
    configure(tmp_path / "two", unet, "v_prediction")
    variant = chosen(monkeypatch, MODEL=tmp_path / "two", SD_VERSION="2")
    assert (variant.name, variant.context_width, variant.unet_channels) == ("2.x", 1024, 9)
    assert (variant.image_size, variant.prediction, variant.padding_token) == (768, "v_prediction", 0)
    assert chosen(monkeypatch, PREDICTION_TYPE="epsilon").prediction == "epsilon"


def test_a_file_of_version_2_that_is_silent_is_warned_of_and_the_environment_says_what_it_predicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    save_file({key: np.zeros((320, 1024), np.float32)}, tmp_path / "768-v.safetensors")
    variant = chosen(monkeypatch, MODEL=tmp_path / "768-v.safetensors")
    assert (variant.prediction, variant.image_size) == ("epsilon", 512)
    assert "768-v.safetensors does not say what it predicts" in caplog.text
    assert "set PREDICTION_TYPE=v_prediction" in caplog.text
    caplog.clear()
    variant = chosen(monkeypatch, PREDICTION_TYPE="v_prediction")
    assert (variant.prediction, variant.image_size) == ("v_prediction", 768)
    assert not caplog.text


def test_a_version_that_contradicts_the_model_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SelectionError, match=r"is a Stable Diffusion 1\.x and SD_VERSION=2: leave"):
        chosen(monkeypatch, MODEL=folder, SD_VERSION="2")


def test_a_vae_and_loras_belong_to_their_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = chosen(monkeypatch, MODEL=folder, VAE="o/vae/a.safetensors", LORA="o/l/b.safetensors:0.8")
    vae, lora = (
        RemoteFile(HubFile(*names)) for names in (("o/vae", "a.safetensors"), ("o/l", "b.safetensors"))
    )
    for part in ("decoder", "image_encoder"):
        assert weights(variant, part) == Checkpoint(vae)
    for part in ("text_encoder", "diffusion"):
        assert weights(variant, part) == Checkpoint(LocalPath(folder), ((lora, 0.8),))


def test_published_files_take_a_vae_and_loras_too(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lora = tmp_path / "style.safetensors"
    lora.write_bytes(b"")
    variant = chosen(monkeypatch, SD_VERSION="1.4", VAE=folder, LORA=lora)
    assert weights(variant, "decoder").location == LocalPath(folder)
    assert weights(variant, "diffusion").loras == ((LocalPath(lora), 1.0),)


@pytest.mark.parametrize(
    ("first", "replaced", "published"),
    [((3, 3, 4, 512), "decoder", "image_encoder"), ((3, 3, 3, 128), "image_encoder", "decoder")],
    ids=["decoder", "image encoder"],
)
def test_a_keras_file_as_the_vae_replaces_the_part_that_it_is(
    first: tuple[int, ...], replaced: str, published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "vae.h5", "w") as file:
        file.create_dataset("a", first, np.float32)
    variant = chosen(monkeypatch, SD_VERSION="1.4", VAE=tmp_path / "vae.h5")
    assert weights(variant, replaced).location == LocalPath(tmp_path / "vae.h5")
    assert weights(variant, published) == weights(VARIANTS["1.4"], published)


@pytest.mark.parametrize("name", ["VAE", "LORA"])
def test_the_built_in_model_takes_neither(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SelectionError, match="VAE and LORA are for the full models"):
        chosen(monkeypatch, **{name: folder})


@pytest.mark.parametrize(
    ("shape", "own"), [((3, 3, 4, 320), "diffusion"), ((49408, 768), "text_encoder")], ids=["unet", "text"]
)
def test_a_fine_tuned_keras_file_replaces_its_part_of_the_published_ones(
    shape: tuple[int, ...], own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "tuned.h5", "w") as file:
        file.create_dataset("a", shape, np.float32)
        if own == "diffusion":
            file.create_dataset("b", (768, 320), np.float32)
    variant = chosen(monkeypatch, MODEL=tmp_path / "tuned.h5")
    locations = {part: weights(variant, part).location for part in PARTS}
    assert locations.pop(own) == LocalPath(tmp_path / "tuned.h5")
    files = [location.file for location in locations.values() if isinstance(location, RemoteFile)]
    assert [file.repository for file in files] == [SD1] * 3
    assert variant.padding_token == 49407


def test_a_file_with_a_vae_alone_is_told_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file({"decoder.conv_in.weight": np.zeros((4, 4), np.float32)}, tmp_path / "vae.safetensors")
    with pytest.raises(CheckpointError, match=r"vae\.safetensors has neither a UNet .* in VAE"):
        chosen(monkeypatch, MODEL=tmp_path / "vae.safetensors")
