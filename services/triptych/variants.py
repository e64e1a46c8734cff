"""Which Stable Diffusion this process serves: its shapes, its parts and where their weights are."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .models import full, tiny
from .weights import HubFile, PackagedFile, WeightsFile
from .wire import Shape

if TYPE_CHECKING:
    import keras

LATENT_CHANNELS = 4
LATENT_FACTOR = 8
PROMPT_TOKENS = 77


@dataclass(frozen=True)
class Part:
    """One model: how it is built and which file fills it."""

    build: Callable[[], "keras.Model"]
    file: WeightsFile


@dataclass(frozen=True)
class Variant:
    """A version of Stable Diffusion; `image_size` is the side of its square image in pixels."""

    name: str
    title: str
    image_size: int
    context_width: int
    num_steps: int
    guidance_scale: float
    parts: dict[str, Part]

    @property
    def latent(self) -> Shape:
        """(height, width, channels), a factor 8 smaller than the image"""
        side = self.image_size // LATENT_FACTOR
        return (side, side, LATENT_CHANNELS)

    @property
    def context(self) -> Shape:
        """(tokens, width)"""
        return (PROMPT_TOKENS, self.context_width)

    def shapes(self, *tensors: str) -> dict[str, Shape]:
        """The shapes of the named tensors of the stage contract, without the batch axis."""
        shapes = {
            "context": self.context,
            "unconditional_context": self.context,
            "latent": self.latent,
            "image": (self.image_size, self.image_size, 3),
            "mask": (self.image_size, self.image_size, 1),
        }
        return {tensor: shapes[tensor] for tensor in tensors}


TINY_FILE = PackagedFile("tiny.safetensors")
SD1 = "fchollet/stable-diffusion"
SD2 = "ianstenbit/keras-sd2.1"

DECODER = Part(
    full.decoder,
    HubFile(SD1, "kcv_decoder.h5", "ad350a65cc8bc4a80c8103367e039a3329b4231c2469a1093869a345f55b1962"),
)
IMAGE_ENCODER = Part(
    full.image_encoder,
    HubFile(SD1, "vae_encoder.h5", "c60fb220a40d090e0f86a6ab4c312d113e115c87c40ff75d11ffcf380aab7ebb"),
)

VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(
            name="tiny",
            title="Triptych tiny",
            image_size=64,
            context_width=128,
            num_steps=25,
            guidance_scale=4.0,
            parts={
                "text_encoder": Part(tiny.text_encoder, TINY_FILE),
                "diffusion": Part(tiny.diffusion_model, TINY_FILE),
                "decoder": Part(tiny.decoder, TINY_FILE),
                "image_encoder": Part(tiny.image_encoder, TINY_FILE),
            },
        ),
        Variant(
            name="1.4",
            title="Stable Diffusion 1.4",
            image_size=512,
            context_width=768,
            num_steps=25,
            guidance_scale=7.5,
            parts={
                "text_encoder": Part(
                    full.text_encoder,
                    HubFile(
                        SD1,
                        "kcv_encoder.h5",
                        "4789e63e07c0e54d6a34a29b45ce81ece27060c499a709d556c7755b42bb0dc4",
                    ),
                ),
                "diffusion": Part(
                    full.diffusion_model,
                    HubFile(
                        SD1,
                        "kcv_diffusion_model.h5",
                        "8799ff9763de13d7f30a683d653018e114ed24a6a819667da4f5ee10f9e805fe",
                    ),
                ),
                "decoder": DECODER,
                "image_encoder": IMAGE_ENCODER,
            },
        ),
        Variant(
            name="2",
            title="Stable Diffusion 2.1 base",
            image_size=512,
            context_width=1024,
            num_steps=25,
            guidance_scale=7.5,
            parts={
                "text_encoder": Part(
                    full.text_encoder_v2,
                    HubFile(
                        SD2,
                        "text_encoder_v2_1.h5",
                        "985002e68704e1c5c3549de332218e99c5b9b745db7171d5f31fcd9a6089f25b",
                    ),
                ),
                "diffusion": Part(
                    full.diffusion_model_v2,
                    HubFile(
                        SD2,
                        "diffusion_model_v2_1.h5",
                        "c31730e91111f98fe0e2dbde4475d381b5287ebb9672b1821796146a25c5132d",
                    ),
                ),
                "decoder": DECODER,
                "image_encoder": IMAGE_ENCODER,
            },
        ),
    )
}


def chosen_variant() -> Variant:
    """The variant that the environment variable SD_VERSION names; the built-in tiny one by default."""
    name = os.environ.get("SD_VERSION", "").strip() or "tiny"
    if name not in VARIANTS:
        raise ValueError(f"SD_VERSION must be one of {', '.join(VARIANTS)}; got {name!r}")
    return VARIANTS[name]
