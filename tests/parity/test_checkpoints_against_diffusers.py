"""The same random checkpoint in diffusers and in our models, on the full architectures, at 128×128 pixels.

One folder of version 1 is shared; a test makes what else it needs (up to 5 GB) and removes it.
"""

import gc
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from keras.src.legacy.saving import legacy_h5_format
from safetensors import safe_open

torch = pytest.importorskip("torch", reason="needs PyTorch")
diffusers = pytest.importorskip("diffusers", reason="needs diffusers")
transformers = pytest.importorskip("transformers", reason="needs transformers")

from diffusers.loaders import StableDiffusionLoraLoaderMixin  # noqa: E402
from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm  # noqa: E402

from tests import checkpoint_files as files  # noqa: E402
from triptych.checkpoints import fill, open_checkpoint, with_loras  # noqa: E402
from triptych.models import full  # noqa: E402
from triptych.programs import backend  # noqa: E402
from triptych.skeleton import unfilled  # noqa: E402
from triptych.weights import unreported  # noqa: E402

Array = npt.NDArray[Any]
Build = Callable[[], Any]
Names = Callable[[str, str], str]
Loras = Sequence[tuple[Path, float]]
RNG = np.random.default_rng(1)
LATENT = (1, 16, 16, 4)
TIMESTEP = 500
LATENT_SCALE = 0.18215
TOLERANCE = 1e-4
LORA_WEIGHT = 0.7
RANK, ALPHA = 4, 2.0
LORAS: dict[str, tuple[Names, float | None]] = {
    "kohya": (files.kohya_names, ALPHA),
    "peft": (files.peft_names, None),
}
"""How each trainer names a LoRA's tensors, and the alpha that it writes if it does."""

UNET_BLOCK = "unet.mid_block.attentions.0.transformer_blocks.0"
UNET_LORA = {
    "unet.down_blocks.0.resnets.0.conv1": ((RANK, 320, 3, 3), (320, RANK, 1, 1)),
    "unet.mid_block.attentions.0.proj_in": ((RANK, 1280, 1, 1), (1280, RANK, 1, 1)),
    f"{UNET_BLOCK}.attn1.to_q": ((RANK, 1280), (1280, RANK)),
    f"{UNET_BLOCK}.attn2.to_k": ((RANK, 768), (1280, RANK)),
    f"{UNET_BLOCK}.attn2.to_out.0": ((RANK, 1280), (1280, RANK)),
    f"{UNET_BLOCK}.ff.net.0.proj": ((RANK, 1280), (10240, RANK)),
    f"{UNET_BLOCK}.ff.net.2": ((RANK, 5120), (1280, RANK)),
}
TEXT_LORA = {
    f"text_encoder.text_model.encoder.layers.{index}.{name}": ((RANK, inward), (outward, RANK))
    for index in (0, 7)
    for name, inward, outward in (
        ("self_attn.q_proj", 768, 768),
        ("self_attn.out_proj", 768, 768),
        ("mlp.fc1", 768, 3072),
        ("mlp.fc2", 3072, 768),
    )
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder that is gone after the test: these files are large."""
    (tmp_path / "model").mkdir()
    yield tmp_path / "model"
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of version 1, for the tests that only read it."""
    directory = tmp_path_factory.mktemp("first")
    yield files.make_diffusers_folder(directory)
    shutil.rmtree(directory)


def test_text_encoder(first: Path) -> None:
    inputs = prompt()
    found = ours(full.text_encoder, "text_encoder", first, *inputs)
    assert_equal(found, their_context(their_text_encoder(first), inputs))


def test_text_encoder_of_version_2(folder: Path) -> None:
    files.make_diffusers_folder(folder, "2", parts=["text_encoder"])
    inputs = prompt()
    found = ours(full.text_encoder_v2, "text_encoder", folder, *inputs)
    assert_equal(found, their_context(their_text_encoder(folder), inputs))


def test_a_folder_in_float16(folder: Path) -> None:
    files.make_diffusers_folder(folder, dtype="float16", parts=["text_encoder"])
    inputs = prompt()
    found = ours(full.text_encoder, "text_encoder", folder, *inputs)
    assert_equal(found, their_context(their_text_encoder(folder), inputs))


def test_unet(first: Path) -> None:
    inputs = unet_inputs("1")
    found = ours(unet("1"), "diffusion", first, *inputs)
    assert_equal(found, their_noise(their_unet(first), inputs))


@pytest.mark.parametrize(("version", "channels"), [("2", 4), ("1", 9)])
def test_unet_of_another_shape(folder: Path, version: str, channels: int) -> None:
    files.make_diffusers_folder(folder, version, inpainting=channels == 9, parts=["unet"])
    inputs = unet_inputs(version, channels)
    found = ours(unet(version, channels), "diffusion", folder, *inputs)
    assert_equal(found, their_noise(their_unet(folder), inputs))


def test_decoder(first: Path) -> None:
    latent = RNG.standard_normal(LATENT, np.float32)
    assert_equal(ours(full.decoder, "decoder", first, latent), their_image(their_vae(first), latent))


def test_image_encoder(first: Path) -> None:
    image = RNG.uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)
    found = ours(full.image_encoder, "image_encoder", first, image)
    assert_equal(found, their_latent(their_vae(first), image))


@pytest.mark.parametrize("version", ["1", "2"])
def test_all_parts_of_a_single_file(folder: Path, version: str) -> None:
    inpainting = version == "2"
    file = files.make_compvis_file(folder / "model.safetensors", version, inpainting)
    for part in files.COMPONENTS:
        files.write_config(folder, part, version, inpainting)

    tokens = prompt()
    found = ours(text_encoder(version), "text_encoder", file, *tokens)
    assert_equal(found, their_context(their_clip_of(file), tokens))

    inputs = unet_inputs(version, 9 if inpainting else 4)
    found = ours(unet(version, 9 if inpainting else 4), "diffusion", file, *inputs)
    assert_equal(found, their_noise(of_file(diffusers.UNet2DConditionModel, "unet", file), inputs))

    vae = of_file(diffusers.AutoencoderKL, "vae", file)
    latent = RNG.standard_normal(LATENT, np.float32)
    assert_equal(ours(full.decoder, "decoder", file, latent), their_image(vae, latent))
    image = RNG.uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)
    assert_equal(ours(full.image_encoder, "image_encoder", file, image), their_latent(vae, image))


# Keras' own writer, with numpy 2.4 and TensorFlow 2.21.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("part", ["text_encoder", "decoder", "image_encoder"])
def test_an_h5_file_as_keras_writes_it(first: Path, folder: Path, part: str) -> None:
    build: Build = getattr(full, part)
    file = folder / "model.h5"
    with h5py.File(file, "w") as group:
        legacy_h5_format.save_weights_to_hdf5_group(group, filled(build, part, first))
    if part == "text_encoder":
        inputs = prompt()
        assert_equal(ours(build, part, file, *inputs), their_context(their_text_encoder(first), inputs))
    elif part == "decoder":
        latent = RNG.standard_normal(LATENT, np.float32)
        assert_equal(ours(build, part, file, latent), their_image(their_vae(first), latent))
    else:
        image = RNG.uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)
        assert_equal(ours(build, part, file, image), their_latent(their_vae(first), image))


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`:UserWarning")
def test_loras_of_two_trainers_on_the_unet(first: Path, folder: Path) -> None:
    inputs = unet_inputs("1")
    model = their_unet(first)
    made = [their_noise(model, inputs)]
    loras: list[tuple[Path, float]] = []
    for trainer, (names, alpha) in LORAS.items():
        lora = files.make_lora_file(folder / f"{trainer}.safetensors", UNET_LORA, names, alpha)
        loras.append((lora, LORA_WEIGHT))
        state, alphas = StableDiffusionLoraLoaderMixin.lora_state_dict(lora)
        StableDiffusionLoraLoaderMixin.load_lora_into_unet(state, alphas, model, adapter_name=trainer)
        loaded = list(LORAS)[: len(loras)]
        model.set_adapters(loaded, [LORA_WEIGHT] * len(loaded))
        made.append(their_noise(model, inputs))
    del model
    assert all(np.abs(after - before).max() > 0.1 for before, after in pairwise(made))
    assert_equal(ours(unet("1"), "diffusion", first, *inputs, loras=loras), made[-1])


@pytest.mark.parametrize(("names", "alpha"), LORAS.values(), ids=LORAS)
def test_a_lora_on_the_text_encoder(first: Path, folder: Path, names: Names, alpha: float | None) -> None:
    lora = files.make_lora_file(folder / "lora.safetensors", TEXT_LORA, names, alpha)
    inputs = prompt()
    model = their_text_encoder(first)
    without = their_context(model, inputs)
    state, alphas = StableDiffusionLoraLoaderMixin.lora_state_dict(lora)
    StableDiffusionLoraLoaderMixin.load_lora_into_text_encoder(
        state, alphas, model, prefix="text_encoder", lora_scale=LORA_WEIGHT
    )
    expected = their_context(model, inputs)
    assert np.abs(expected - without).max() > 0.1
    found = ours(full.text_encoder, "text_encoder", first, *inputs, loras=[(lora, LORA_WEIGHT)])
    assert_equal(found, expected)


def filled(build: Build, part: str, path: Path, loras: Loras = ()) -> Any:
    """Our model with the checkpoint's weights."""
    # The models before this one have cycles, and gigabytes.
    gc.collect()
    with unfilled():
        model = build()
    fill(model, part, with_loras(open_checkpoint(path, part), loras, part), unreported)
    return model


def ours(build: Build, part: str, path: Path, *inputs: Array, loras: Loras = ()) -> Array:
    """The output of our model with the checkpoint's weights, NHWC."""
    model = filled(build, part, path, loras)
    output: Array = backend().compile_program(model, list(inputs), "float32")(list(inputs))
    return output


def text_encoder(version: str) -> Build:
    return full.text_encoder if version == "1" else full.text_encoder_v2


def unet(version: str, channels: int = 4) -> Build:
    build = full.diffusion_model if version == "1" else full.diffusion_model_v2
    return lambda: build(channels)


def prompt() -> tuple[Array, Array]:
    """Tokens and positions of two prompts."""
    tokens = np.full((2, 77), 49407, np.int32)
    tokens[:, :9] = [49406, *RNG.integers(0, 49406, 8)]
    return tokens, np.arange(77, dtype=np.int32)[None].repeat(2, 0)


def unet_inputs(version: str, channels: int = 4) -> tuple[Array, Array, Array]:
    """A latent, the embedding of TIMESTEP and a context."""
    latent = RNG.standard_normal((*LATENT[:-1], channels), np.float32)
    context = RNG.standard_normal((1, 77, files.CONTEXT_WIDTH[version]), np.float32)
    step = diffusers.models.embeddings.get_timestep_embedding(
        torch.tensor([TIMESTEP]), 320, flip_sin_to_cos=True, downscale_freq_shift=0
    )
    return latent, step.numpy(), context


def their_text_encoder(folder: Path) -> Any:
    return transformers.CLIPTextModel.from_pretrained(folder / "text_encoder").float()


def their_unet(folder: Path) -> Any:
    return diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")


def their_vae(folder: Path) -> Any:
    return diffusers.AutoencoderKL.from_pretrained(folder / "vae")


def of_file(kind: Any, part: str, file: Path) -> Any:
    """Their UNet or VAE of a whole model's single file, with the configuration beside it."""
    return kind.from_single_file(str(file), config=str(file.parent), subfolder=part, local_files_only=True)


def their_clip_of(file: Path) -> Any:
    with safe_open(file, "pt") as stored:
        names = [name for name in stored.keys() if name.startswith("cond_stage_model.")]  # noqa: SIM118
        tensors = {name: stored.get_tensor(name) for name in names}
    return create_diffusers_clip_model_from_ldm(
        transformers.CLIPTextModel, tensors, "text_encoder", str(file.parent), local_files_only=True
    )


@torch.inference_mode()
def their_context(model: Any, inputs: tuple[Array, Array]) -> Array:
    found: Array = model.eval()(torch.from_numpy(inputs[0]).long()).last_hidden_state.numpy()
    return found


@torch.inference_mode()
def their_noise(model: Any, inputs: tuple[Array, Array, Array]) -> Array:
    latent, _, context = inputs
    return nhwc(model.eval()(nchw(latent), TIMESTEP, torch.from_numpy(context)).sample)


@torch.inference_mode()
def their_image(model: Any, latent: Array) -> Array:
    return nhwc(model.eval().decode(nchw(latent) / LATENT_SCALE).sample)


@torch.inference_mode()
def their_latent(model: Any, image: Array) -> Array:
    return nhwc(model.eval().encode(nchw(image)).latent_dist.mean) * LATENT_SCALE


def nchw(array: Array) -> Any:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1)))


def nhwc(tensor: Any) -> Array:
    return np.moveaxis(tensor.numpy(), 1, -1)


def assert_equal(found: Array, expected: Array) -> None:
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    print(f"largest difference: {difference:.1e} of the largest value, {np.abs(expected).max():.2f}")
    assert difference < TOLERANCE
