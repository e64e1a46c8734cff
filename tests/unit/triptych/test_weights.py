"""Filling a part, and telling two models apart by their hashes."""

import hashlib
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from triptych.locations import LocalPath
from triptych.variants import VARIANTS
from triptych.weights import Checkpoint, load_part, short_hash

TINY = VARIANTS["tiny"]
NAMES = {"a": "decoder.conv_in.weight", "b": "post_quant_conv.weight"}


@pytest.fixture(autouse=True)
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIGHTS_DIR", str(tmp_path / "weights"))


def written(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    save_file({name: rng.standard_normal((2, 2), np.float32) for name in NAMES.values()}, path)
    return path


def test_a_part_comes_filled_and_says_how_far_it_is() -> None:
    states: list[str] = []
    model = load_part(TINY, "decoder", lambda state, progress: states.append(state))
    assert isinstance(model, keras.Model)
    assert all(np.isfinite(np.asarray(variable.value)).all() for variable in model.weights)
    assert set(states) == {"loading"}


def test_the_hash_is_the_beginning_of_the_files_sha256(tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", 0)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
    assert short_hash(Checkpoint(LocalPath(path)), "decoder") == expected


def test_a_folder_has_a_hash_for_each_component(tmp_path: Path) -> None:
    for seed, folder in enumerate(("unet", "vae")):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder / "diffusion_pytorch_model.safetensors", seed)
    weights = Checkpoint(LocalPath(tmp_path))
    unet, decoder, encoder = (short_hash(weights, part) for part in ("diffusion", "decoder", "image_encoder"))
    assert unet != decoder == encoder


def test_loras_and_their_weights_change_the_hash(tmp_path: Path) -> None:
    base, lora = written(tmp_path / "a.safetensors", 0), written(tmp_path / "b.safetensors", 1)
    hashes = {
        short_hash(Checkpoint(LocalPath(base), loras), "diffusion")
        for loras in ((), ((LocalPath(lora), 0.5),), ((LocalPath(lora), 0.8),))
    }
    assert len(hashes) == 3
