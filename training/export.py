"""The one file that is shipped: all four models in float16."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from training import diffusion, latents
from training.paths import ASSET
from training.sampling import Painter
from training.vocabulary import stored_tokens
from triptych.checkpoints import load_safetensors, save_safetensors
from triptych.models import tiny

TABLE = "text_encoder/embedding/0"
METADATA = {
    "name": "Triptych tiny",
    "version": "2",
    "licence": "Apache-2.0; trained on Fluent Emoji artwork, MIT, Copyright (c) Microsoft Corporation, "
    "and on Noto Emoji, Apache-2.0, Google",
    "source": "made by `make train-tiny`; see training/README.md",
}


def write() -> None:
    """Write the trained models, as they are at their last checkpoints, to the asset."""
    codec = latents.codec()
    text_encoder, unet = diffusion.trained()
    save(
        {
            "text_encoder": text_encoder,
            "diffusion": unet,
            "decoder": codec.decoder,
            "image_encoder": codec.image_encoder,
        }
    )


def save(models: Mapping[str, keras.Model]) -> None:
    """Write these models to the asset."""
    ASSET.parent.mkdir(parents=True, exist_ok=True)
    save_safetensors(ASSET, models, {TABLE: stored_tokens()}, METADATA)


def shipped() -> Painter:
    """The models in the asset."""
    parts = {
        "text_encoder": tiny.text_encoder(),
        "diffusion": tiny.diffusion_model(),
        "decoder": tiny.decoder(),
        "image_encoder": tiny.image_encoder(),
    }
    for prefix, model in parts.items():
        load_safetensors(model, ASSET, prefix)
    codec = latents.Codec(parts["image_encoder"], parts["decoder"])
    return Painter(parts["text_encoder"], parts["diffusion"], codec)
