"""The full Stable Diffusion models: keras-cv's own, at 512 × 512, built without their downloads."""

from .kerascv import (
    Decoder,
    DiffusionModel,
    DiffusionModelV2,
    ImageEncoder,
    TextEncoder,
    TextEncoderV2,
)

IMAGE_SIZE = 512
PROMPT_TOKENS = 77


def text_encoder() -> TextEncoder:
    """Tokens and positions (batch, 77) int32 to a context (batch, 77, 768) float32."""
    return TextEncoder(PROMPT_TOKENS, download_weights=False)


def text_encoder_v2() -> TextEncoderV2:
    """Tokens and positions (batch, 77) int32 to a context (batch, 77, 1024) float32."""
    return TextEncoderV2(PROMPT_TOKENS, download_weights=False)


def diffusion_model() -> DiffusionModel:
    """Latent, timestep embedding and context to the noise in the latent (batch, 64, 64, 4) float32."""
    return DiffusionModel(IMAGE_SIZE, IMAGE_SIZE, PROMPT_TOKENS, download_weights=False)


def diffusion_model_v2() -> DiffusionModelV2:
    """As `diffusion_model`, for contexts of width 1024."""
    return DiffusionModelV2(IMAGE_SIZE, IMAGE_SIZE, PROMPT_TOKENS, download_weights=False)


def decoder() -> Decoder:
    """Latent (batch, 64, 64, 4) to an image (batch, 512, 512, 3) float32 in [-1, 1]."""
    return Decoder(IMAGE_SIZE, IMAGE_SIZE, download_weights=False)


def image_encoder() -> ImageEncoder:
    """Image (batch, height, width, 3) float32 in [-1, 1] to the mean of its latent."""
    return ImageEncoder(download_weights=False)
