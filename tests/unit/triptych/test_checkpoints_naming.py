"""The names of keras-cv's variables in a checkpoint, against names and shapes written down from diffusers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import keras
import pytest

from tests.checkpoint_files import shapes_of
from tests.running import ROOT
from triptych.checkpoints import CheckpointError
from triptych.checkpoints.naming import name_layer, named_variables
from triptych.models import full, kerascv
from triptych.skeleton import unfilled

OWN = {
    "text_encoder": ("text_model.",),
    "diffusion": ("",),
    "decoder": ("decoder.", "post_quant_conv."),
    "image_encoder": ("encoder.", "quant_conv."),
}
PARTS: dict[str, tuple[str, str, Callable[[], Any]]] = {
    "text_encoder 1": ("text_encoder", "1", full.text_encoder),
    "text_encoder 2": ("text_encoder", "2", full.text_encoder_v2),
    "diffusion 1": ("unet", "1", lambda: full.diffusion_model(9)),
    "decoder 1": ("vae", "1", full.decoder),
    "image_encoder 1": ("vae", "1", full.image_encoder),
}


def print_names() -> None:
    """Print the names and shapes of the variables of every model in PARTS, and how many have none."""
    found = {}
    for key, (_, _, build) in PARTS.items():
        with unfilled():
            model = build()
        named = named_variables(model, key.split()[0])
        unnamed = {id(variable) for variable in model.weights} - {id(entry.variable) for entry in named}
        found[key] = ({entry.name: entry.shape for entry in named}, len(unnamed))
    print(json.dumps(found))


@pytest.fixture(scope="module")
def names() -> Any:
    """What print_names prints with Keras on OpenVINO, which builds the full models five times as fast."""
    command = f"from {__name__} import print_names; print_names()"
    environment = os.environ | {
        "KERAS_BACKEND": "openvino",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "services"))),
    }
    ended = subprocess.run(
        (sys.executable, "-c", command), cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("key", PARTS)
def test_every_variable_has_the_name_and_shape_that_diffusers_gives_it(names: Any, key: str) -> None:
    component, version, _ = PARTS[key]
    shapes = shapes_of(component, version, channels=9)
    own = OWN[key.split()[0]]
    expected = {name: shape for name, shape in shapes.items() if name.startswith(own)}
    found, unnamed = names[key]
    assert unnamed == 0
    assert set(found) == set(expected)
    # keras-cv's decoder has 1×1 convolutions where diffusers has dense layers.
    assert {name: [*shape, 1, 1][: len(found[name])] for name, shape in expected.items()} == found


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
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="small")
    with pytest.raises(CheckpointError, match=r"small, with 1 layers Dense, is no diffusion"):
        named_variables(model, "diffusion")
