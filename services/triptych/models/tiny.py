"""The built-in model, in keras-cv's layers and behind keras-cv's interfaces.

Stable Diffusion 1.x in miniature, for 128×128 pictures: CLIP tokens and a causal text transformer, a
cross-attention UNet that predicts epsilon, and a VAE with factor 8 and four latent channels.
keras-cv's widths are multiples of 32 groups; these are not, so the number of groups is set here.
"""

from __future__ import annotations

from typing import Any, TypeVar

import keras

from triptych.models import kerascv

IMAGE_SIZE = 128
LATENT_SHAPE = (16, 16, 4)
MAX_TOKENS = 77
VOCABULARY_SIZE = 49408
CONTEXT_WIDTH = 128
TIMESTEP_WIDTH = 320
LATENT_SCALE = 0.18215

TEXT_LAYERS = 4
TEXT_HEADS = 4
UNET_WIDTHS = (64, 128, 160)
UNET_GROUPS = 16
HEAD_WIDTH = 32
DECODER_WIDTHS = (160, 96, 64)
ENCODER_WIDTHS = (48, 64, 96)
VAE_GROUPS = 8
SUBPIXEL_WIDTH = 16

LayerT = TypeVar("LayerT", bound=keras.layers.Layer)


def text_encoder(vocabulary: int = VOCABULARY_SIZE) -> keras.Model:
    """Tokens and positions, each int32 (77,), to the context, float32 (77, 128)."""
    tokens = keras.Input((MAX_TOKENS,), dtype="int32", name="tokens")
    positions = keras.Input((MAX_TOKENS,), dtype="int32", name="positions")
    x = kerascv.CLIPEmbedding(vocabulary, CONTEXT_WIDTH, MAX_TOKENS, name="embedding")([tokens, positions])
    for i in range(TEXT_LAYERS):
        block = kerascv.CLIPEncoderLayer(
            CONTEXT_WIDTH, TEXT_HEADS, activation=kerascv.quick_gelu, name=f"block_{i}"
        )
        x = block(x)
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    return keras.Model([tokens, positions], x, name="tiny_text_encoder")


def diffusion_model() -> keras.Model:
    """Latent (16, 16, 4), timestep embedding (320,) and context (77, 128) to epsilon (16, 16, 4)."""
    context = keras.Input((MAX_TOKENS, CONTEXT_WIDTH), name="context")
    timestep_embedding = keras.Input((TIMESTEP_WIDTH,), name="timestep_embedding")
    latent = keras.Input(LATENT_SHAPE, name="latent")
    step = _timestep(timestep_embedding)

    def attend(x: Any, name: str) -> Any:
        width = x.shape[-1]
        block = kerascv.SpatialTransformer(width // HEAD_WIDTH, HEAD_WIDTH, name=f"{name}_attention")
        return _grouped(block, UNET_GROUPS)([x, context])

    def resolve(x: Any, width: int, name: str) -> Any:
        return _grouped(kerascv.ResBlock(width, name=f"{name}_res"), UNET_GROUPS)([x, step])

    x = kerascv.PaddedConv2D(UNET_WIDTHS[0], 3, padding=1, name="entry")(latent)
    skips = [x]
    for level, width in enumerate(UNET_WIDTHS):
        if level:
            x = kerascv.PaddedConv2D(width, 3, strides=2, padding=1, name=f"downsample_{level}")(x)
            skips.append(x)
        x = attend(resolve(x, width, f"down_{level}"), f"down_{level}")
        skips.append(x)
    x = attend(resolve(x, UNET_WIDTHS[-1], "middle"), "middle")
    for level, width in reversed(list(enumerate(UNET_WIDTHS))):
        for i in range(2):
            x = keras.layers.Concatenate(name=f"skip_{level}_{i}")([x, skips.pop()])
            x = attend(resolve(x, width, f"up_{level}_{i}"), f"up_{level}_{i}")
        if level:
            x = kerascv.Upsample(width, name=f"upsample_{level}")(x)
    output = _exit(x, LATENT_SHAPE[-1], UNET_GROUPS)
    return keras.Model([latent, timestep_embedding, context], output, name="tiny_diffusion")


def decoder() -> keras.Model:
    """Latent (16, 16, 4), scaled by 0.18215, to an image (128, 128, 3) in about [-1, 1]."""
    latent = keras.Input(LATENT_SHAPE, name="latent")
    x = keras.layers.Rescaling(1.0 / LATENT_SCALE, name="unscale")(latent)
    x = kerascv.PaddedConv2D(4, 1, name="post_quant")(x)
    x = kerascv.PaddedConv2D(DECODER_WIDTHS[0], 3, padding=1, name="entry")(x)
    x = _middle(x, DECODER_WIDTHS[0])
    for level, width in enumerate(DECODER_WIDTHS):
        if level:
            x = kerascv.Upsample(x.shape[-1], name=f"upsample_{level}")(x)
        for i in range(2):
            x = _resnet(x, width, f"up_{level}_{i}")
    # The last doubling is a rearrangement: convolutions at full size would cost most of the time.
    x = _exit(x, 4 * SUBPIXEL_WIDTH, VAE_GROUPS)
    x = _interleave(x)
    x = keras.layers.Activation("swish", name="subpixel_swish")(x)
    x = kerascv.PaddedConv2D(3, 3, padding=1, name="rgb")(x)
    return keras.Model(latent, x, name="tiny_decoder")


def image_encoder() -> keras.Model:
    """Image (128, 128, 3) in [-1, 1] to the mean latent (16, 16, 4), scaled by 0.18215.

    The layer named "quant" gives means and log-variances, (16, 16, 8), before the scaling.
    """
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="image")
    x = image
    for level, width in enumerate(ENCODER_WIDTHS):
        x = kerascv.PaddedConv2D(width, 3, padding=((0, 1), (0, 1)), strides=2, name=f"downsample_{level}")(x)
        x = _resnet(x, width, f"down_{level}")
    x = _middle(x, ENCODER_WIDTHS[-1])
    x = _exit(x, 8, VAE_GROUPS)
    moments = kerascv.PaddedConv2D(8, 1, name="quant")(x)
    return keras.Model(image, moments[..., :4] * LATENT_SCALE, name="tiny_image_encoder")


def _timestep(embedding: Any) -> Any:
    x = keras.layers.Dense(4 * UNET_WIDTHS[0], name="timestep_0")(embedding)
    x = keras.layers.Activation("swish", name="timestep_swish")(x)
    return keras.layers.Dense(4 * UNET_WIDTHS[0], name="timestep_1")(x)


def _middle(x: Any, width: int) -> Any:
    x = _resnet(x, width, "middle_0")
    x = _grouped(kerascv.AttentionBlock(width, name="middle_attention"), VAE_GROUPS)(x)
    return _resnet(x, width, "middle_1")


def _resnet(x: Any, width: int, name: str) -> Any:
    return _grouped(kerascv.ResnetBlock(width, name=name), VAE_GROUPS)(x)


def _exit(x: Any, channels: int, groups: int) -> Any:
    x = keras.layers.GroupNormalization(groups, epsilon=1e-5, name="exit_norm")(x)
    x = keras.layers.Activation("swish", name="exit_swish")(x)
    return kerascv.PaddedConv2D(channels, 3, padding=1, name="exit")(x)


def _interleave(x: Any) -> Any:
    height, width, channels = x.shape[1:]
    x = keras.layers.Reshape((height, width, 2, 2, channels // 4), name="subpixel_split")(x)
    x = keras.layers.Permute((1, 3, 2, 4, 5), name="subpixel_order")(x)
    return keras.layers.Reshape((2 * height, 2 * width, channels // 4), name="subpixel_merge")(x)


def _grouped(layer: LayerT, groups: int) -> LayerT:
    for part in layer._flatten_layers():
        if isinstance(part, keras.layers.GroupNormalization):
            part.groups = groups
    return layer
