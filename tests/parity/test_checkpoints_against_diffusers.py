"""The same random checkpoint in diffusers and in our models, on the full architectures, at 128×128 pixels.

Every test makes the one component that it needs (up to 3.5 GB) and removes it.
"""

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")
diffusers = pytest.importorskip("diffusers", reason="needs diffusers")
transformers = pytest.importorskip("transformers", reason="needs transformers")

from tests import checkpoint_files as files  # noqa: E402
from triptych.checkpoints import fill, open_checkpoint, with_loras  # noqa: E402
from triptych.models import full  # noqa: E402
from triptych.programs import backend  # noqa: E402
from triptych.skeleton import unfilled  # noqa: E402
from triptych.weights import unreported  # noqa: E402

Array = npt.NDArray[Any]
RNG = np.random.default_rng(1)
LATENT = (1, 16, 16, 4)
TIMESTEP = 500
LATENT_SCALE = 0.18215
TOLERANCE = 1e-4
VERSIONS = pytest.mark.parametrize("version", ["1", "2"])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder that is gone after the test: these files are large."""
    gc.collect()
    yield tmp_path / "model"
    shutil.rmtree(tmp_path)


def ours(build: Callable[[], Any], part: str, path: Path, *inputs: Array, lora: Path | None = None) -> Array:
    """The output of our model with the checkpoint's weights, NHWC."""
    with unfilled():
        model = build()
    source = open_checkpoint(path, part)
    fill(model, part, with_loras(source, [(lora, 0.7)], part) if lora else source, unreported)
    output: Array = backend().compile_program(model, list(inputs), "float32")(list(inputs))
    return output


def theirs(model: Any, call: Callable[[Any], Any]) -> Array:
    with torch.inference_mode():
        output: Array = call(model.eval()).numpy()
    return output


def tensor(array: Array) -> Any:
    """Of an array in Keras' order, as torch wants it."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1) if array.ndim == 4 else array))


def assert_equal(found: Array, expected: Array) -> None:
    expected = np.moveaxis(expected, 1, -1) if expected.ndim == 4 else expected
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    print(f"largest difference: {difference:.1e} of the largest value, {np.abs(expected).max():.2f}")
    assert difference < TOLERANCE


@VERSIONS
def test_text_encoder(folder: Path, version: str) -> None:
    files.make_diffusers_folder(folder, version, parts=["text_encoder"])
    tokens = np.full((2, 77), 49407, np.int32)
    tokens[:, :9] = [49406, *RNG.integers(0, 49406, 8)]
    positions = np.arange(77, dtype=np.int32)[None].repeat(2, 0)
    build = full.text_encoder if version == "1" else full.text_encoder_v2
    found = ours(build, "text_encoder", folder, tokens, positions)
    model = transformers.CLIPTextModel.from_pretrained(folder / "text_encoder")
    assert_equal(found, theirs(model, lambda model: model(torch.from_numpy(tokens).long()).last_hidden_state))


@pytest.mark.parametrize(("version", "channels"), [("1", 4), ("2", 4), ("1", 9), ("2", 9)])
def test_unet(folder: Path, version: str, channels: int) -> None:
    files.make_diffusers_folder(folder, version, inpainting=channels == 9, parts=["unet"])
    inputs = unet_inputs(version, channels)
    found = ours(unet(version, channels), "diffusion", folder, *inputs)
    model = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")
    assert_equal(found, theirs(model, lambda model: their_noise(model, inputs)))


def test_decoder(folder: Path) -> None:
    files.make_diffusers_folder(folder, parts=["vae"])
    latent = RNG.standard_normal(LATENT, np.float32)
    found = ours(full.decoder, "decoder", folder, latent)
    model = diffusers.AutoencoderKL.from_pretrained(folder / "vae")
    assert_equal(found, theirs(model, lambda model: model.decode(tensor(latent) / LATENT_SCALE).sample))


def test_image_encoder(folder: Path) -> None:
    files.make_diffusers_folder(folder, parts=["vae"])
    image = RNG.uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)
    found = ours(full.image_encoder, "image_encoder", folder, image)
    model = diffusers.AutoencoderKL.from_pretrained(folder / "vae")
    mean = theirs(model, lambda model: model.encode(tensor(image)).latent_dist.mean)
    assert_equal(found, mean * LATENT_SCALE)


def unet(version: str, channels: int = 4) -> Callable[[], Any]:
    build = full.diffusion_model if version == "1" else full.diffusion_model_v2
    return lambda: build(channels)


def unet_inputs(version: str, channels: int = 4) -> tuple[Array, Array, Array]:
    latent = RNG.standard_normal((*LATENT[:-1], channels), np.float32)
    context = RNG.standard_normal((1, 77, files.CONTEXT_WIDTH[version]), np.float32)
    step = diffusers.models.embeddings.get_timestep_embedding(
        torch.tensor([TIMESTEP]), 320, flip_sin_to_cos=True, downscale_freq_shift=0
    )
    return latent, step.numpy(), context


def their_noise(model: Any, inputs: tuple[Array, Array, Array]) -> Any:
    latent, _, context = inputs
    return model(tensor(latent), TIMESTEP, torch.from_numpy(context)).sample
