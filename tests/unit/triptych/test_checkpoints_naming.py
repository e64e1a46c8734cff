"""The names of keras-cv's variables in a checkpoint, against names and shapes written down from diffusers."""

from collections.abc import Callable
from typing import Any

import keras
import pytest

from tests.checkpoint_files import shapes_of
from triptych.checkpoints import CheckpointError
from triptych.checkpoints.naming import name_layer, named_variables
from triptych.models import full, kerascv, tiny
from triptych.skeleton import unfilled

OWN = {
    "text_encoder": ("text_model.",),
    "diffusion": ("",),
    "decoder": ("decoder.", "post_quant_conv."),
    "image_encoder": ("encoder.", "quant_conv."),
}
PARTS: list[tuple[str, str, str, int, Callable[[], Any]]] = [
    ("text_encoder", "text_encoder", "1", 4, full.text_encoder),
    ("text_encoder", "text_encoder", "2", 4, full.text_encoder_v2),
    ("diffusion", "unet", "1", 9, lambda: full.diffusion_model(9)),
    ("decoder", "vae", "1", 4, full.decoder),
    ("image_encoder", "vae", "1", 4, full.image_encoder),
]


@pytest.mark.parametrize(
    ("part", "component", "version", "channels", "build"), PARTS, ids=lambda value: str(value)[:12]
)
def test_every_variable_has_the_name_and_shape_that_diffusers_gives_it(
    part: str, component: str, version: str, channels: int, build: Callable[[], Any]
) -> None:
    with unfilled():
        model = build()
    named = named_variables(model, part)
    shapes = shapes_of(component, version, channels)
    expected = {name: shape for name, shape in shapes.items() if name.startswith(OWN[part])}
    assert {id(entry.variable) for entry in named} == {id(variable) for variable in model.weights}
    assert {entry.name for entry in named} == set(expected)
    assert [entry.name for entry in named if not entry.fits(expected[entry.name])] == []


def test_a_transformer_of_version_2_projects_with_dense_layers() -> None:
    width = 320
    with unfilled():
        layer = kerascv.SpatialTransformer(5, 64, fully_connected=True)
        layer([keras.KerasTensor((1, 2, 2, width)), keras.KerasTensor((1, 77, 1024))])
    name = "down_blocks.0.attentions.0"
    shapes = {key: shape for key, shape in shapes_of("unet", "2").items() if key.startswith(f"{name}.")}
    assert {entry.name: entry.shape for entry in name_layer(layer, name)} == shapes


def test_kernels_of_1_by_1_fit_dense_layers_and_the_other_way_round() -> None:
    with unfilled():
        layer = kerascv.PaddedConv2D(8, 1)
        layer(keras.KerasTensor((1, 2, 2, 4)))
    kernel, bias = name_layer(layer, "proj_in")
    assert kernel.fits((8, 4)) and kernel.fits((8, 4, 1, 1))
    assert not kernel.fits((4, 8)) and not kernel.fits((8, 4, 3, 3))
    assert bias.fits((8,)) and not bias.fits((4,))


def test_a_model_of_other_layers_is_refused() -> None:
    with unfilled():
        model = tiny.diffusion_model()
    with pytest.raises(CheckpointError, match=r"tiny_diffusion, with 3 layers PaddedConv2D, is no diffusion"):
        named_variables(model, "diffusion")
