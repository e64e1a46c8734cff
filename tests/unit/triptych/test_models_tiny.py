from collections.abc import Callable

import keras
import numpy as np
import pytest
from safetensors import safe_open

from tests.tiny import CONTEXT, IMAGE, LATENT
from triptych.checkpoints import load_safetensors
from triptych.models import tiny
from triptych.weights import ASSETS

ASSET = ASSETS / "tiny.safetensors"
PARTS: dict[str, Callable[[], keras.Model]] = {
    "text_encoder": tiny.text_encoder,
    "diffusion": tiny.diffusion_model,
    "decoder": tiny.decoder,
    "image_encoder": tiny.image_encoder,
}


def shipped(part: str) -> keras.Model:
    model = PARTS[part]()
    load_safetensors(model, ASSET, part)
    return model


@pytest.mark.parametrize(
    ("part", "inputs", "output"),
    [
        ("text_encoder", {"tokens": (77,), "positions": (77,)}, CONTEXT),
        ("diffusion", {"latent": LATENT, "timestep_embedding": (320,), "context": CONTEXT}, LATENT),
        ("decoder", {"latent": LATENT}, IMAGE),
        ("image_encoder", {"image": IMAGE}, LATENT),
    ],
)
def test_a_part_has_keras_cvs_inputs_and_outputs(
    part: str, inputs: dict[str, tuple[int, ...]], output: tuple[int, ...]
) -> None:
    model = PARTS[part]()
    assert {tensor.name: tensor.shape[1:] for tensor in model.inputs} == inputs
    assert model.output_shape[1:] == output


def test_the_shipped_file_fits_in_28_mb_and_names_itself() -> None:
    assert ASSET.stat().st_size <= 28_000_000
    with safe_open(str(ASSET), framework="numpy") as file:
        assert file.metadata()["name"] == "Triptych tiny"
        assert "Microsoft" in file.metadata()["licence"]
        assert {name.split("/")[0] for name in file.keys()} == set(PARTS)  # noqa: SIM118


def test_the_shipped_autoencoder_gives_a_plain_picture_back() -> None:
    picture = np.full((1, *IMAGE), (220, 60, 55), np.float32) / 127.5 - 1
    latent = shipped("image_encoder").predict_on_batch(picture)
    again = shipped("decoder").predict_on_batch(latent)
    assert np.abs(again - picture).mean() < 0.05


def test_the_shipped_text_encoder_takes_words_that_it_does_not_know() -> None:
    model = shipped("text_encoder")
    tokens = np.full((2, 77), 49407, np.int32)
    tokens[:, :2] = [[49406, 12345], [49406, 23456]]
    contexts = model.predict_on_batch([tokens, np.tile(np.arange(77, dtype=np.int32), (2, 1))])
    assert np.isfinite(contexts).all()
    assert np.allclose(contexts[0], contexts[1], atol=1e-3)


def test_text_is_read_from_left_to_right() -> None:
    model = shipped("text_encoder")
    tokens = np.full((2, 77), 49407, np.int32)
    tokens[:, :3] = [[49406, 736, 3055], [49406, 736, 2368]]
    contexts = model.predict_on_batch([tokens, np.tile(np.arange(77, dtype=np.int32), (2, 1))])
    assert np.allclose(contexts[0, :2], contexts[1, :2], atol=1e-3)
    assert not np.allclose(contexts[0, 2:], contexts[1, 2:], atol=1e-2)
