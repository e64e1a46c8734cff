"""Which Stable Diffusion a checkpoint is: from its configuration, or the shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .compvis import diffusers_unet, transformers_text
from .configuration import read_object
from .keras_files import h5_shapes
from .kinds import SERVED, refuse_other_models
from .mapped import StoredTensors
from .opening import COMPONENTS, H5, map_tensors
from .source import CheckpointError, Shape

END_OF_TEXT = 49407
OPENCLIP_PADDING = 0
SD1_WIDTH, SD2_WIDTH = 768, 1024
UNET_WIDTHS = [320, 640, 1280, 1280]
FIRST_CHANNELS = (4, 9)
VOCABULARY = 49408
IMAGE_KERNEL = (3, 3, 3, 128)
"""The first of the image encoder, in Keras' order of axes; the decoder has none of that shape."""
LATENT_FACTOR = 8
LATENT_SIDES = range(32, 129, 8)
"""Of images from 256 to 1024 pixels, in multiples of 64."""
PREDICTIONS = {"epsilon": "epsilon", "eps": "epsilon", "v": "v_prediction", "v_prediction": "v_prediction"}
FOLDER_CLASS = re.compile(r"(LatentConsistencyModel|StableDiffusion(?!XL|3).*)Pipeline")
FIRST_KERNEL = "conv_in.weight"
CONTEXT_KEY = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
PARAMETERIZATION = re.compile(r"""^[ \t]*parameterization:[ \t]*["']?(\w+)""", re.MULTILINE)
TOKENS = "text_model.embeddings.token_embedding.weight"


@dataclass(frozen=True)
class Architecture:
    """What a checkpoint says of itself; None where it does not say.

    `context_width` is 768 for versions 1.x and 1024 for 2.x; `in_channels` of the UNet 4, or 9 for
    inpainting; `prediction_type` epsilon or v_prediction; `native_size` in pixels; `padding_token` what
    fills a prompt up to 77 tokens.
    """

    context_width: int | None
    in_channels: int | None
    prediction_type: str | None
    native_size: int | None
    padding_token: int


def inspect_checkpoint(path: Path, allow_pickle: bool = False) -> Architecture:
    """What the file or folder is, without reading its tensors.

    Raises CheckpointError if it is a model of another kind, or damaged.
    """
    if path.is_dir():
        return _folder(path)
    if path.suffix in H5:
        return _keras_file(path)
    return _single_file(path, map_tensors(path, allow_pickle))


def vae_part(path: Path) -> str:
    """Which of the VAE's parts a .h5 file holds, decoder or image_encoder. Raises CheckpointError."""
    return "image_encoder" if IMAGE_KERNEL in h5_shapes(path) else "decoder"


def _folder(path: Path) -> Architecture:
    pipeline = read_object(path / "model_index.json").get("_class_name")
    if pipeline and not FOLDER_CLASS.fullmatch(str(pipeline)):
        raise CheckpointError(f"{path.name} is made for {pipeline}; {SERVED}")
    unet, text = (
        read_object(path / "unet" / "config.json"),
        read_object(path / "text_encoder" / "config.json"),
    )
    _refuse_other_unets(unet, path)
    width, size = unet.get("cross_attention_dim", text.get("hidden_size")), unet.get("sample_size")
    return _checked(
        path.name,
        width,
        unet.get("in_channels"),
        read_object(path / "scheduler" / "scheduler_config.json").get("prediction_type"),
        LATENT_FACTOR * size if isinstance(size, int) and size in LATENT_SIDES else None,
        padding=None,
    )


def _refuse_other_unets(config: Mapping[str, Any], path: Path) -> None:
    if config.get("time_cond_proj_dim"):
        raise CheckpointError(f"{path.name} seems to be distilled with guidance embedded (LCM); {SERVED}")
    widths = config.get("block_out_channels", UNET_WIDTHS)
    embedded = config.get("addition_embed_type") or config.get("class_embed_type")
    if embedded or widths != UNET_WIDTHS:
        raise CheckpointError(f"{path.name}: its UNet has widths {widths}, extra input {embedded}; {SERVED}")


def _single_file(path: Path, stored: StoredTensors) -> Architecture:
    refuse_other_models(stored.arrays, path.name)
    shapes = _shapes(stored)
    width = _second_side(shapes, CONTEXT_KEY) or _second_side(shapes, TOKENS)
    channels = _second_side(shapes, FIRST_KERNEL)
    return _checked(path.name, width, channels, _prediction(path, stored), None, padding=None)


def _second_side(shapes: Mapping[str, Shape], name: str) -> int | None:
    shape = shapes.get(name, ())
    return shape[1] if len(shape) > 1 else None


def _shapes(stored: StoredTensors) -> dict[str, Shape]:
    """Of the UNet's and the text encoder's tensors under diffusers' names."""
    shapes: dict[str, Shape] = {}
    for part, rename in (("diffusion", diffusers_unet), ("text_encoder", transformers_text)):
        prefix = COMPONENTS[part].prefix
        below = {name: array for name, array in stored.arrays.items() if name.startswith(prefix)}
        named = {name.removeprefix(prefix): array for name, array in (below or stored.arrays).items()}
        shapes |= {name: array.shape for name, array in rename(named).items()}
    return shapes


def _prediction(path: Path, stored: StoredTensors) -> str | None:
    """As the file's metadata, its tensors or the .yaml beside it say."""
    if said := stored.metadata.get("modelspec.prediction_type"):
        return said
    if "v_pred" in stored.arrays:
        return "v"
    config = path.with_suffix(".yaml")
    if not config.is_file():
        return None
    said_there = PARAMETERIZATION.search(config.read_text(errors="replace"))
    return said_there[1] if said_there else "epsilon"


def _keras_file(path: Path) -> Architecture:
    shapes = h5_shapes(path)
    channels = next((count for count in FIRST_CHANNELS if (3, 3, count, UNET_WIDTHS[0]) in shapes), None)
    widths = [
        width
        for width in (SD1_WIDTH, SD2_WIDTH)
        if (width, UNET_WIDTHS[0]) in shapes or (VOCABULARY, width) in shapes
    ]
    return _checked(path.name, widths[0] if widths else None, channels, None, None, padding=END_OF_TEXT)


def _checked(
    title: str,
    width: Any,
    channels: Any,
    prediction: Any,
    size: int | None,
    padding: int | None,
) -> Architecture:
    if width not in (None, SD1_WIDTH, SD2_WIDTH):
        raise CheckpointError(f"{title} takes contexts of width {width}; {SERVED}, with 768 and 1024")
    if channels not in (None, *FIRST_CHANNELS):
        raise CheckpointError(
            f"{title}: its UNet takes {channels} channels; 4, and 9 for inpainting, are served"
        )
    if prediction is not None and str(prediction) not in PREDICTIONS:
        raise CheckpointError(f"{title} predicts {prediction}; epsilon and v_prediction are served")
    if padding is None:
        padding = OPENCLIP_PADDING if width == SD2_WIDTH else END_OF_TEXT
    return Architecture(width, channels, PREDICTIONS[prediction] if prediction else None, size, padding)
