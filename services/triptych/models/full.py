"""The full Stable Diffusion models: keras-cv's own, built without their downloads.

keras-cv builds a model for one image size, but its layers go by the shape of what they are given, so
one set of layers serves every size: `model.call(inputs)`. They are built for a small one, because
Keras runs them for real where it cannot infer a shape.
"""

from typing import Any

import keras

from .kerascv import (
    Decoder,
    DiffusionModel,
    DiffusionModelV2,
    ImageEncoder,
    PaddedConv2D,
    TextEncoder,
    TextEncoderV2,
)

BUILT_SIZE = 128
LATENT_CHANNELS = 4
PROMPT_TOKENS = 77


def text_encoder() -> TextEncoder:
    """Tokens and positions (batch, 77) int32 to a context (batch, 77, 768) float32."""
    return TextEncoder(PROMPT_TOKENS, download_weights=False)


def text_encoder_v2() -> TextEncoderV2:
    """Tokens and positions (batch, 77) int32 to a context (batch, 77, 1024) float32."""
    return TextEncoderV2(PROMPT_TOKENS, download_weights=False)


def diffusion_model(channels: int = LATENT_CHANNELS) -> DiffusionModel:
    """Latent, timestep embedding and context to the noise in the latent, float32 (batch, h, w, 4).

    `channels` is how many the latent comes with: 9 for inpainting, with a mask and a masked image.
    """
    return _for_channels(DiffusionModel, channels)


def diffusion_model_v2(channels: int = LATENT_CHANNELS) -> DiffusionModelV2:
    """As `diffusion_model`, for contexts of width 1024."""
    return _for_channels(DiffusionModelV2, channels)


def decoder() -> Decoder:
    """Latent (batch, h, w, 4) to an image (batch, 8 h, 8 w, 3) float32 in [-1, 1]."""
    return Decoder(BUILT_SIZE, BUILT_SIZE, download_weights=False)


def image_encoder() -> ImageEncoder:
    """Image (batch, height, width, 3) float32 in [-1, 1] to the mean of its latent."""
    return ImageEncoder(download_weights=False)


def _for_channels(build: Any, channels: int) -> Any:
    model = build(BUILT_SIZE, BUILT_SIZE, PROMPT_TOKENS, download_weights=False)
    if channels == LATENT_CHANNELS:
        return model
    latent, embedding, context = model.inputs
    wider = keras.Input((*latent.shape[1:-1], channels), name="latent")
    return keras.models.clone_model(
        model, input_tensors=[wider, embedding, context], clone_function=_shared_but_the_first
    )


def _shared_but_the_first(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The first convolution anew, as it was: the only layer that sees the latent's channels."""
    first = isinstance(layer, PaddedConv2D) and layer.conv2d.kernel.shape[2] == LATENT_CHANNELS
    if not first:
        return layer
    return PaddedConv2D(layer.conv2d.filters, layer.conv2d.kernel_size, padding=1, name=layer.name)
