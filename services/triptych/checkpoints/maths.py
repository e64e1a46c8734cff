"""Where keras-cv computes otherwise than the code that Stable Diffusion's checkpoints are made with.

The differences are small, but add up over the layers and steps: so a checkpoint
from elsewhere is computed as it was trained, and keras-cv's own files as keras-cv does.
"""

from __future__ import annotations

from functools import partial

import keras

from ..models import kerascv
from ..models.gelu import ErfGEGLU

TRAINED_EPSILON = 1e-6


def match_checkpoint(model: keras.Model, part: str) -> None:
    """Make a keras-cv model compute as CompVis' code, OpenCLIP and diffusers do.

    - The group norms of the VAE and of the UNet's transformers have epsilon 1e-6; keras-cv's have 1e-5.
    - The UNet's gated layers and version 2's text encoder use the exact GELU; keras-cv's approximate it.
    """
    {"text_encoder": _match_text_encoder, "diffusion": _match_unet}.get(part, _match_vae)(model)


def _match_text_encoder(model: keras.Model) -> None:
    for layer in model.layers:
        if isinstance(layer, kerascv.CLIPEncoderLayer) and layer.activation is keras.ops.gelu:
            layer.activation = partial(keras.ops.gelu, approximate=False)


def _match_unet(model: keras.Model) -> None:
    for layer in model.layers:
        if isinstance(layer, kerascv.SpatialTransformer):
            layer.norm.epsilon = TRAINED_EPSILON
            # Keras admits no new layer into one that is built, and the weights are the same.
            layer.transformer_block.geglu.__class__ = ErfGEGLU


def _match_vae(model: keras.Model) -> None:
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.GroupNormalization):
            layer.epsilon = TRAINED_EPSILON
