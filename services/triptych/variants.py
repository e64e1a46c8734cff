"""Which Stable Diffusion this process serves: its shapes, its parts and where their weights are."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from .checkpoints import Architecture, CheckpointError, inspect_checkpoint, parse_loras, vae_part
from .checkpoints.opening import H5
from .hub import HubFile
from .locations import Location, RemoteFile, parse_location, parse_lora_location
from .models import full, tiny
from .preview import STABLE_DIFFUSION, TINY_PREVIEW, LinearPreview
from .selection import Selection, SelectionError
from .tokenizer import END_OF_TEXT
from .weights import Checkpoint, PackagedFile, Report, Weights, unreported
from .wire import Shape

if TYPE_CHECKING:
    import keras

LATENT_CHANNELS = full.LATENT_CHANNELS
LATENT_FACTOR = 8
PROMPT_TOKENS = full.PROMPT_TOKENS
EPSILON = "epsilon"
VAE_PARTS = ("decoder", "image_encoder")
BASE_SIZE = 512
VELOCITY_SIZE = 768
"""Stable Diffusion 2.x that predicts velocity was trained at 768 pixels."""

Size = tuple[int, int]
"""(height, width) in pixels"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """One model: how it is built and what fills it."""

    build: Callable[[], "keras.Model"]
    weights: Weights


@dataclass(frozen=True)
class Sizes:
    """Which sides an image can have, in pixels: multiples, from the least to the most."""

    multiple: int
    min: int
    max: int


@dataclass(frozen=True)
class Variant:
    """A Stable Diffusion: `image_size` is the side in pixels of the square image that it was trained for.

    `context_width` is the text encoder's; `unet_channels` are 4, or 9 for inpainting; `prediction` is
    epsilon or v_prediction; `padding_token` fills prompts up to 77 tokens; `dtype` is what it computes
    in; `max_compiled_sizes` is for how many image sizes programs of a part are kept, None for the backend's
    own number; `preview` makes small pictures of latents; `is_small` says that a copy of its weights costs
    little memory.
    """

    name: str
    title: str
    image_size: int
    sizes: Sizes
    context_width: int
    num_steps: int
    guidance_scale: float
    parts: dict[str, Part]
    unet_channels: int = LATENT_CHANNELS
    prediction: str = EPSILON
    padding_token: int = END_OF_TEXT
    dtype: str = "float32"
    max_compiled_sizes: int | None = None
    preview: LinearPreview = STABLE_DIFFUSION
    is_small: bool = False

    @property
    def latent(self) -> Shape:
        """(height, width, channels), a factor 8 smaller than the image"""
        return self.shapes("latent")["latent"]

    @property
    def context(self) -> Shape:
        """(tokens, width)"""
        return (PROMPT_TOKENS, self.context_width)

    def shapes(self, *tensors: str, size: Size | None = None) -> dict[str, Shape]:
        """The shapes of the named tensors of the stage contract, without the batch axis, for one size."""
        height, width = size or (self.image_size, self.image_size)
        shapes = {
            "context": self.context,
            "unconditional_context": self.context,
            "latent": (height // LATENT_FACTOR, width // LATENT_FACTOR, LATENT_CHANNELS),
            "image": (height, width, 3),
            "mask": (height, width, 1),
        }
        return {tensor: shapes[tensor] for tensor in tensors}


FULL_SIZES = Sizes(64, 256, 1024)
TINY_FILE = PackagedFile("tiny.safetensors")
TINY = Variant(
    name="tiny",
    title="Triptych tiny",
    image_size=tiny.IMAGE_SIZE,
    sizes=Sizes(tiny.IMAGE_SIZE, tiny.IMAGE_SIZE, tiny.IMAGE_SIZE),
    context_width=128,
    num_steps=13,  # benchmarks/README.md, Samplers
    guidance_scale=4.0,
    parts={
        "text_encoder": Part(tiny.text_encoder, TINY_FILE),
        "diffusion": Part(tiny.diffusion_model, TINY_FILE),
        "decoder": Part(tiny.decoder, TINY_FILE),
        "image_encoder": Part(tiny.image_encoder, TINY_FILE),
    },
    preview=TINY_PREVIEW,
    is_small=True,
)

SD1, SD2 = "fchollet/stable-diffusion", "ianstenbit/keras-sd2.1"
WIDTHS = {"1": 768, "2": 1024}
"""Of the contexts, by the version's first digit."""
PUBLISHED = {
    "text_encoder": {
        "1": (SD1, "kcv_encoder.h5", "4789e63e07c0e54d6a34a29b45ce81ece27060c499a709d556c7755b42bb0dc4"),
        "2": (
            SD2,
            "text_encoder_v2_1.h5",
            "985002e68704e1c5c3549de332218e99c5b9b745db7171d5f31fcd9a6089f25b",
        ),
    },
    "diffusion": {
        "1": (
            SD1,
            "kcv_diffusion_model.h5",
            "8799ff9763de13d7f30a683d653018e114ed24a6a819667da4f5ee10f9e805fe",
        ),
        "2": (
            SD2,
            "diffusion_model_v2_1.h5",
            "c31730e91111f98fe0e2dbde4475d381b5287ebb9672b1821796146a25c5132d",
        ),
    },
    "decoder": dict.fromkeys(
        WIDTHS,
        (SD1, "kcv_decoder.h5", "ad350a65cc8bc4a80c8103367e039a3329b4231c2469a1093869a345f55b1962"),
    ),
    "image_encoder": dict.fromkeys(
        WIDTHS,
        (SD1, "vae_encoder.h5", "c60fb220a40d090e0f86a6ab4c312d113e115c87c40ff75d11ffcf380aab7ebb"),
    ),
}
"""keras-cv's files: repository, name and sha256, by part and version."""


def full_variant(version: str, name: str, title: str, weights: dict[str, Weights], channels: int) -> Variant:
    """A variant of keras-cv's full models of version "1" or "2", with the weights of each part."""
    first = version == "1"
    build: dict[str, Callable[[], keras.Model]] = {
        "text_encoder": full.text_encoder if first else full.text_encoder_v2,
        "diffusion": partial(full.diffusion_model if first else full.diffusion_model_v2, channels),
        "decoder": full.decoder,
        "image_encoder": full.image_encoder,
    }
    return Variant(
        name=name,
        title=title,
        image_size=BASE_SIZE,
        sizes=FULL_SIZES,
        context_width=WIDTHS[version],
        num_steps=25,
        guidance_scale=7.5,
        parts={part: Part(build[part], weights[part]) for part in build},
        unet_channels=channels,
    )


def _published(version: str) -> dict[str, Weights]:
    files = {
        part: HubFile(repository, name, sha256=sha256)
        for part, by_version in PUBLISHED.items()
        for repository, name, sha256 in [by_version[version]]
    }
    return {part: Checkpoint(RemoteFile(file)) for part, file in files.items()}


VARIANTS = {
    variant.name: variant
    for variant in (
        TINY,
        full_variant("1", "1.4", "Stable Diffusion 1.4", _published("1"), LATENT_CHANNELS),
        full_variant("2", "2", "Stable Diffusion 2.1 base", _published("2"), LATENT_CHANNELS),
    )
}


def chosen_variant(report: Report = unreported) -> Variant:
    """The variant that the environment names; the built-in one by default.

    A checkpoint is looked at to find out what it is, for which its small files are downloaded. Raises
    SelectionError, CheckpointError or DownloadError.
    """
    selection = Selection.read()
    known = VARIANTS[selection.version or TINY.name]
    variant = _of_model(selection, report) if selection.model else known
    return replace(
        variant,
        parts=_with_changes(variant, selection, report),
        dtype=selection.dtype,
        max_compiled_sizes=selection.max_compiled_sizes,
        prediction=selection.prediction or variant.prediction,
    )


def _of_model(selection: Selection, report: Report) -> Variant:
    location = parse_location("MODEL", selection.model, selection.allow_pickle)
    path = location.describe(report)
    found = inspect_checkpoint(path, selection.allow_pickle)
    version = _version_of(found, selection)
    weights: dict[str, Weights] = dict.fromkeys(
        PUBLISHED, Checkpoint(location, allow_pickle=selection.allow_pickle)
    )
    if path.suffix in H5:
        part = "diffusion" if found.in_channels else "text_encoder"
        weights = _published(version) | {part: weights[part]}
    prediction = selection.prediction or found.prediction_type
    if version == "2" and prediction is None and path.is_file() and path.suffix not in H5:
        logger.warning(
            "%s does not say what it predicts; epsilon is taken. If its pictures are noise, "
            "set PREDICTION_TYPE=v_prediction",
            path.name,
        )
    channels = found.in_channels or LATENT_CHANNELS
    variant = full_variant(version, f"{version}.x", selection.model, weights, channels)
    return replace(
        variant,
        title=_title(selection.model),
        image_size=found.native_size or _usual_size(version, prediction),
        prediction=prediction or EPSILON,
        padding_token=found.padding_token,
    )


def _version_of(found: Architecture, selection: Selection) -> str:
    version = next((version for version, width in WIDTHS.items() if width == found.context_width), None)
    if version is None:
        raise CheckpointError(
            f"MODEL={selection.model} has neither a UNet nor a text encoder: name decoders in VAE"
        )
    said = selection.version and VARIANTS[selection.version].context_width
    if said and said != found.context_width:
        raise SelectionError(
            f"MODEL={selection.model} is a Stable Diffusion {version}.x and SD_VERSION={selection.version}: "
            "leave SD_VERSION out"
        )
    return version


def _usual_size(version: str, prediction: str | None) -> int:
    return VELOCITY_SIZE if version == "2" and prediction == "v_prediction" else BASE_SIZE


def _title(model: str) -> str:
    """Without the folders of this machine."""
    return model.rstrip("/").rpartition("/")[2]


def _with_changes(variant: Variant, selection: Selection, report: Report) -> dict[str, Part]:
    """The parts with what VAE and LORA say."""
    if variant is TINY:
        return variant.parts
    loras = tuple(
        (parse_lora_location(lora.path, selection.allow_pickle), lora.weight)
        for lora in parse_loras(selection.lora)
    )
    vae = _vae(selection, report)
    return {
        name: replace(part, weights=_changed(part.weights, name, vae, loras))
        for name, part in variant.parts.items()
    }


def _vae(selection: Selection, report: Report) -> dict[str, Location]:
    """Where the parts that VAE replaces are: both, but for a Keras .h5 file, which holds one."""
    if not selection.vae:
        return {}
    location = parse_location("VAE", selection.vae, selection.allow_pickle)
    if selection.vae.endswith(H5):
        return {vae_part(location.describe(report)): location}
    return dict.fromkeys(VAE_PARTS, location)


def _changed(
    weights: Weights, part: str, vae: dict[str, Location], loras: tuple[tuple[Location, float], ...]
) -> Weights:
    assert isinstance(weights, Checkpoint)
    if part in VAE_PARTS:
        return replace(weights, location=vae.get(part, weights.location))
    return replace(weights, loras=loras)
