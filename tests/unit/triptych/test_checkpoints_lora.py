"""LoRA files of every trainer, added to the small tensors of a UNet and of a text encoder."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.checkpoint_files import (
    Array,
    Shape,
    kohya_names,
    make_lora_file,
    peft_names,
    random_values,
    write_safetensors,
)
from triptych.checkpoints import CheckpointError, Lora, TensorSource, open_checkpoint, parse_loras, with_loras

VALUES = random_values()
RANK = 2
BLOCK = "down_blocks.0.attentions.0.transformer_blocks.0"
UNET = {
    "time_embedding.linear_1.weight": (4, 4),
    "conv_in.weight": (6, 4, 3, 3),
    "down_blocks.0.attentions.0.norm.weight": (6,),
    "down_blocks.0.attentions.0.proj_in.weight": (6, 6, 1, 1),
    "down_blocks.0.resnets.0.conv1.weight": (6, 6, 3, 3),
    f"{BLOCK}.attn1.to_q.weight": (6, 6),
    f"{BLOCK}.attn2.to_k.weight": (6, 8),
    f"{BLOCK}.attn2.to_out.0.weight": (6, 6),
    f"{BLOCK}.attn2.to_out.0.bias": (6,),
}
LAYER = "text_model.encoder.layers.0"
TEXT = {
    "text_model.embeddings.token_embedding.weight": (10, 8),
    f"{LAYER}.self_attn.q_proj.weight": (8, 8),
    f"{LAYER}.mlp.fc1.weight": (32, 8),
}
LINEAR, CONTEXT, OUT = f"{BLOCK}.attn1.to_q", f"{BLOCK}.attn2.to_k", f"{BLOCK}.attn2.to_out.0"
PAIRS: dict[str, tuple[Shape, Shape]] = {
    LINEAR: ((RANK, 6), (6, RANK)),
    CONTEXT: ((RANK, 8), (6, RANK)),
    OUT: ((RANK, 6), (6, RANK)),
    "down_blocks.0.attentions.0.proj_in": ((RANK, 6, 1, 1), (6, RANK, 1, 1)),
}


@pytest.fixture
def unet(tmp_path: Path) -> TensorSource:
    return open_checkpoint(write_safetensors(tmp_path / "unet.safetensors", UNET, VALUES), "diffusion")


@pytest.fixture
def text(tmp_path: Path) -> TensorSource:
    return open_checkpoint(write_safetensors(tmp_path / "text.safetensors", TEXT, VALUES), "text_encoder")


def attached(base: TensorSource, part: str, *loras: tuple[Path, float]) -> TensorSource:
    source = with_loras(base, loras, part)
    source.attach(keras.Sequential(), part)
    return source


def write(path: Path, tensors: Mapping[str, Array], **metadata: str) -> Path:
    shapes = {name: array.shape for name, array in tensors.items()}
    return write_safetensors(path, shapes, lambda name, shape: tensors[name], **metadata)


def matrices(layer: str, names: Callable[[str, str], str], seed: int = 0) -> tuple[Array, Array]:
    """The down and up matrices that make_lora_file writes for a layer in PAIRS."""
    down, up = (
        random_values(seed)(names(f"unet.{layer}", role), shape)
        for role, shape in zip(("down", "up"), PAIRS[layer], strict=True)
    )
    return down.reshape(RANK, -1), up.reshape(-1, RANK)


def make(path: Path, names: Callable[[str, str], str], alpha: float | None = None, seed: int = 0) -> Path:
    layers = {f"unet.{layer}": pair for layer, pair in PAIRS.items()}
    return make_lora_file(path, layers, names, alpha, seed)


def change(source: TensorSource, layer: str) -> Array:
    """What was added to the base's tensor, as a matrix."""
    name = f"{layer}.weight"
    base = VALUES(name, source.shape(name))
    return (source.read(name) - base).reshape(len(base), -1)


def attention_processor_names(layer: str, role: str) -> str:
    """As diffusers called them before version 0.22."""
    attention, _, projection = layer.removesuffix(".0").rpartition(".")
    return f"{attention}.processor.{projection}_lora.{role}.weight"


def diffusers_names(layer: str, role: str) -> str:
    return f"{layer}.lora.{role}.weight"


def bare_names(layer: str, role: str) -> str:
    """As diffusers' save_lora_adapter calls the UNet's."""
    return peft_names(layer.removeprefix("unet."), role)


@pytest.mark.parametrize("names", [kohya_names, peft_names, diffusers_names, bare_names])
@pytest.mark.parametrize("weight", [1.0, 0.8, -0.5])
@pytest.mark.parametrize("layer", PAIRS)
def test_up_times_down_is_added(
    tmp_path: Path, unet: TensorSource, names: Callable[[str, str], str], weight: float, layer: str
) -> None:
    source = attached(unet, "diffusion", (make(tmp_path / "lora.safetensors", names), weight))
    down, up = matrices(layer, names)
    np.testing.assert_allclose(change(source, layer), weight * up @ down, atol=1e-5)


@pytest.mark.parametrize("layer", [LINEAR, OUT])
def test_the_attention_processors_of_older_diffusers_are_known(
    tmp_path: Path, unet: TensorSource, layer: str
) -> None:
    file = make_lora_file(
        tmp_path / "lora.safetensors", {f"unet.{layer}": PAIRS[layer]}, attention_processor_names
    )
    down, up = matrices(layer, attention_processor_names)
    np.testing.assert_allclose(change(attached(unet, "diffusion", (file, 1)), layer), up @ down, atol=1e-5)


def test_alpha_over_rank_scales_it(tmp_path: Path, unet: TensorSource) -> None:
    file = make(tmp_path / "lora.safetensors", kohya_names, alpha=0.5)
    down, up = matrices(LINEAR, kohya_names)
    source = attached(unet, "diffusion", (file, 0.8))
    np.testing.assert_allclose(change(source, LINEAR), 0.8 * 0.5 / RANK * up @ down, atol=1e-5)


def test_tensors_that_no_lora_changes_are_those_of_the_checkpoint(tmp_path: Path, unet: TensorSource) -> None:
    source = attached(unet, "diffusion", (make(tmp_path / "lora.safetensors", kohya_names), 1))
    assert (source.names(), source.title) == (unet.names(), unet.title)
    assert source.read("conv_in.weight") is unet.read("conv_in.weight")
    assert source.read(f"{OUT}.bias") is unet.read(f"{OUT}.bias")


def test_two_loras_are_both_added(tmp_path: Path, unet: TensorSource) -> None:
    first = make(tmp_path / "first.safetensors", kohya_names)
    second = make(tmp_path / "second.safetensors", peft_names, seed=1)
    source = attached(unet, "diffusion", (first, 0.7), (second, -0.2))
    (down, up), (other_down, other_up) = matrices(LINEAR, kohya_names), matrices(LINEAR, peft_names, seed=1)
    expected = 0.7 * up @ down - 0.2 * other_up @ other_down
    np.testing.assert_allclose(change(source, LINEAR), expected, atol=1e-5)


def test_a_convolution_is_changed_by_two_convolutions(tmp_path: Path, unet: TensorSource) -> None:
    down, up = VALUES("down", (RANK, 6, 3, 3)), VALUES("up", (6, RANK, 1, 1))
    name = "lora_unet_down_blocks_0_resnets_0_conv1"
    file = write(
        tmp_path / "lora.safetensors", {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
    )
    found = change(attached(unet, "diffusion", (file, 1)), "down_blocks.0.resnets.0.conv1")
    expected = np.einsum("or,rihw->oihw", up[:, :, 0, 0], down)
    np.testing.assert_allclose(found, expected.reshape(6, -1), atol=1e-5)


def test_a_convolution_is_changed_by_three_convolutions(tmp_path: Path, unet: TensorSource) -> None:
    down, mid, up = (
        VALUES(name, shape)
        for name, shape in {"down": (RANK, 6, 1, 1), "mid": (RANK, RANK, 3, 3), "up": (6, RANK, 1, 1)}.items()
    )
    name = "lora_unet_down_blocks_0_resnets_0_conv1"
    tensors = {
        f"{name}.lora_{role}.weight": array for role, array in (("down", down), ("mid", mid), ("up", up))
    }
    file = write(tmp_path / "lora.safetensors", tensors)
    found = change(attached(unet, "diffusion", (file, 1)), "down_blocks.0.resnets.0.conv1")
    # One after the other, as the trainer runs them: each row of mid is one of the inner channels.
    expected = np.einsum("on,nmhw,mi->oihw", up[:, :, 0, 0], mid, down[:, :, 0, 0])
    np.testing.assert_allclose(found, expected.reshape(6, -1), atol=1e-5)


def in_transformers_5(layer: str, role: str) -> str:
    return peft_names(layer.replace(".text_model", ""), role)


def linear_layer_names(layer: str, role: str) -> str:
    return f"{layer}.lora_linear_layer.{role}.weight"


@pytest.mark.parametrize("names", [kohya_names, peft_names, in_transformers_5, linear_layer_names])
def test_the_text_encoders_layers_are_changed_too(
    tmp_path: Path, text: TensorSource, names: Callable[[str, str], str]
) -> None:
    layer = f"{LAYER}.mlp.fc1"
    pair = ((RANK, 8), (32, RANK))
    file = make_lora_file(tmp_path / "lora.safetensors", {f"text_encoder.{layer}": pair}, names)
    down, up = (
        VALUES(names(f"text_encoder.{layer}", role), shape)
        for role, shape in zip(("down", "up"), pair, strict=True)
    )
    np.testing.assert_allclose(change(attached(text, "text_encoder", (file, 1)), layer), up @ down, atol=1e-5)


@pytest.mark.parametrize("part", ["text_encoder", "decoder"])
def test_a_part_that_a_lora_does_not_change_is_as_it_was(
    tmp_path: Path, unet: TensorSource, part: str
) -> None:
    file = make(tmp_path / "lora.safetensors", kohya_names)
    assert with_loras(unet, [(file, 1)], part) is unet


def peft_tensors(prefix: str) -> dict[str, Array]:
    down, up = matrices(LINEAR, peft_names)
    return {f"{prefix}{LINEAR}.lora_A.weight": down, f"{prefix}{LINEAR}.lora_B.weight": up}


def in_metadata(folder: Path, settings: dict[str, Any]) -> Path:
    prefixed = {f"unet.{name}": value for name, value in settings.items()}
    remarks = {"lora_adapter_metadata": json.dumps(prefixed)}
    return write(folder / "lora.safetensors", peft_tensors("unet."), **remarks)


def in_a_file_beside(folder: Path, settings: dict[str, Any]) -> Path:
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return write(folder / "adapter_model.safetensors", peft_tensors("base_model.model."))


SETTINGS = pytest.mark.parametrize("put", [in_metadata, in_a_file_beside])


@SETTINGS
def test_pefts_settings_give_alpha(tmp_path: Path, unet: TensorSource, put: Any) -> None:
    file = put(tmp_path, {"lora_alpha": 8, "alpha_pattern": {}, "use_rslora": False})
    down, up = matrices(LINEAR, peft_names)
    source = attached(unet, "diffusion", (file, 1))
    np.testing.assert_allclose(change(source, LINEAR), 8 / RANK * up @ down, atol=1e-5)


@SETTINGS
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"use_rslora": True}, "was trained with use_rslora, which is not served"),
        ({"alpha_pattern": {"to_q": 3}}, "was trained with alpha_pattern, which is not served"),
        ({"lora_alpha": "much"}, "its lora_alpha is 'much', no number"),
    ],
)
def test_settings_of_peft_that_are_not_served_are_refused(
    tmp_path: Path, unet: TensorSource, put: Any, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        attached(unet, "diffusion", (put(tmp_path, settings), 1))


def test_pefts_own_file_without_its_settings_is_refused(tmp_path: Path, unet: TensorSource) -> None:
    file = write(tmp_path / "adapter_model.safetensors", peft_tensors("base_model.model."))
    with pytest.raises(
        CheckpointError, match=r"adapter_model\.safetensors needs adapter_config\.json beside it"
    ):
        attached(unet, "diffusion", (file, 1))


KEY = f"lora_unet_{LINEAR.replace('.', '_')}"
DOWN, UP = {f"{KEY}.lora_down.weight": np.ones((RANK, 6))}, {f"{KEY}.lora_up.weight": np.ones((6, RANK))}


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"lora_unet_input_blocks_4_1_proj_in.lora_down.weight": np.ones((2, 6))}, "made for another model"),
        ({"lora_te1_text_model_x.lora_down.weight": np.ones((2, 6))}, "LoRA for Stable Diffusion XL"),
        ({"text_encoder_2.text_model.x.lora_A.weight": np.ones((2, 6))}, "LoRA for Stable Diffusion XL"),
        ({"model.diffusion_model.out.2.weight": np.ones((2, 6))}, "is no layer of a LoRA that is served"),
        ({f"{KEY}.hada_w1_a": np.ones((2, 6))}, "is no layer of a LoRA that is served"),
        ({f"{KEY}.dora_scale": np.ones((2, 6)), **DOWN, **UP}, "is no layer of a LoRA that is served"),
        (DOWN, "has no up matrix"),
        (UP, "has no down matrix"),
        (
            {**DOWN, f"{KEY}.lora_up.weight": np.ones((5, RANK))},
            r"shapes \(5, 2\) and \(2, 6\), .* shape \(6, 6\)",
        ),
        ({**DOWN, f"{KEY}.lora_up.weight": np.ones((RANK, 6))}, r"shapes \(2, 6\) and \(2, 6\)"),
        ({**UP, f"{KEY}.lora_down.weight": np.ones((RANK, 8))}, r"shapes \(6, 2\) and \(2, 8\)"),
        ({**UP, f"{KEY}.lora_down.weight": np.ones(())}, r"shapes \(6, 2\) and \(\)"),
        (
            {f"{KEY}.lora_up.weight": np.ones((6, 0)), f"{KEY}.lora_down.weight": np.ones((0, 6))},
            r"shapes \(6, 0\) and \(0, 6\)",
        ),
        (
            {**DOWN, **UP, f"{KEY}.lora_mid.weight": np.ones((2, 2, 3, 3))},
            r"\(6, 2\), \(2, 2, 3, 3\) and \(2, 6\)",
        ),
        ({**DOWN, **UP, f"{KEY}.alpha": np.ones(3)}, "alpha is no number"),
        ({**DOWN, **UP, f"{KEY}.alpha": np.array(np.nan)}, "alpha is no number"),
        (
            {
                "lora_unet_down_blocks_0_attentions_0_norm.lora_down.weight": np.ones((2, 6)),
                "lora_unet_down_blocks_0_attentions_0_norm.lora_up.weight": np.ones((6, 2)),
            },
            r"which make no change to a tensor of shape \(6,\)",
        ),
    ],
)
def test_a_lora_that_does_not_fit_is_refused(
    tmp_path: Path, unet: TensorSource, tensors: dict[str, Array], sentence: str
) -> None:
    file = write(tmp_path / "x.safetensors", tensors)
    with pytest.raises(CheckpointError, match=rf"x\.safetensors.*{sentence}"):
        attached(unet, "diffusion", (file, 1))


def test_lora_lists_files_and_how_much_of_each() -> None:
    assert parse_loras("a.safetensors:0.8, owner/name/b.safetensors,odd:name.safetensors:-1e-1,") == [
        Lora("a.safetensors", 0.8),
        Lora("owner/name/b.safetensors", 1.0),
        Lora("odd:name.safetensors", -0.1),
    ]
    assert parse_loras("") == []


@pytest.mark.parametrize("text", ["a.safetensors:much", "a.safetensors:nan", "a.safetensors:inf", "odd:name"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(CheckpointError, match=r"LORA: '\w+' in .* is no number; it must be like path:0\.8"):
        parse_loras(text)
