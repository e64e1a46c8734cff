"""A stage that cannot use the weights it is given stays up and says why, over HTTP."""

import json
from pathlib import Path

import numpy as np
import pytest
import requests
from safetensors.numpy import save_file

from tests.running import failing_stage

ONE = np.zeros((4, 4), np.float32)


def decoder(path: Path) -> Path:
    other = np.zeros((4, 5), np.float32)
    save_file({"decoder.conv_in.weight": ONE, "post_quant_conv.weight": other}, path)
    return path


def unet(path: Path) -> Path:
    """The first tensors of a UNet, which say that it is one."""
    context = np.zeros((320, 768), np.float32)
    save_file(
        {
            "conv_in.weight": np.zeros((320, 4, 3, 3), np.float32),
            "time_embedding.linear_1.weight": ONE,
            "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": context,
        },
        path,
    )
    return path


def cut(path: Path) -> Path:
    unet(path).write_bytes(path.read_bytes()[:-8])
    return path


def page(path: Path) -> Path:
    path.write_text("<!doctype html><title>Sign in</title>")
    return path


@pytest.mark.parametrize(
    ("variable", "make", "sentence"),
    [
        ("VAE", decoder, "post_quant_conv.weight has shape (4, 5); the decoder needs (4, 4, 1, 1)"),
        ("VAE", unet, "file.safetensors has no decoder: it holds a UNet"),
        ("VAE", cut, "file.safetensors is truncated or damaged"),
        ("VAE", page, "file.safetensors is a page of a website"),
        ("MODEL", decoder, "has neither a UNet nor a text encoder: name decoders in VAE"),
    ],
)
def test_the_reason_names_the_file_and_what_is_wrong_with_it(
    tmp_path: Path, variable: str, make: object, sentence: str
) -> None:
    assert callable(make)
    path = make(tmp_path / "file.safetensors")
    version = {"SD_VERSION": "1.4"} if variable == "VAE" else {}
    settings = {variable: str(path), "KERAS_BACKEND": "openvino", **version}
    with failing_stage("decoder", tmp_path / "log", **settings) as stage:
        ready = requests.get(f"{stage.url}/ready", timeout=10)
        answer = requests.post(stage.url, json={"inputs": ""}, timeout=10)
        assert requests.get(f"{stage.url}/health", timeout=10).status_code == 200
    assert ready.status_code == answer.status_code == 503
    assert sentence in ready.json()["error"]
    assert sentence in json.loads(answer.text)["error"]


def test_a_decoder_has_what_it_encodes_with_from_its_start(tmp_path: Path) -> None:
    settings = {"SD_VERSION": "1.4", "WEIGHTS_DIR": str(tmp_path / "weights"), "HF_HUB_OFFLINE": "1"}
    with failing_stage("decoder", tmp_path / "log", KERAS_BACKEND="openvino", **settings) as stage:
        said = requests.get(f"{stage.url}/ready", timeout=10).json()["error"]
    assert "vae_encoder.h5 of fchollet/stable-diffusion is not here" in said
