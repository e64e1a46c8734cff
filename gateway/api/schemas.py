"""The native dialect's bodies, in and out, with examples that run."""

import base64
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..images import MASK_CONVENTIONS, Picture, encode_picture
from ..plan import MAX_SEED
from ..requests import GenerateRequest, Inpainting
from .body import Must

MAX_PROMPT = 2000
MAX_IMAGES = 100
MAX_GUIDANCE_SCALE = 100
MAX_RESAMPLES = 10
MAX_MODEL = 100


class TextToImage(BaseModel):
    """What to make."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    prompt: Annotated[
        str,
        Field(
            max_length=MAX_PROMPT,
            description="What the picture shows; may be empty.",
            examples=["a red apple"],
        ),
        Must(f"a string of at most {MAX_PROMPT} characters"),
    ]
    negative_prompt: Annotated[
        str,
        Field(max_length=MAX_PROMPT, description="What it is led away from."),
        Must(f"a string of at most {MAX_PROMPT} characters"),
    ] = ""
    num_images: Annotated[
        int,
        Field(ge=1, le=MAX_IMAGES, description="How many; the model's own limit is in GET /v1/stages."),
        Must(f"a whole number from 1 to {MAX_IMAGES}"),
    ] = 1
    steps: Annotated[
        int | None,
        Field(ge=1, description="Denoising steps; null for the model's default."),
        Must("a whole number, 1 or more, or null"),
    ] = None
    guidance_scale: Annotated[
        float | None,
        Field(
            ge=0, le=MAX_GUIDANCE_SCALE, description="How closely to follow the prompt; null for the default."
        ),
        Must(f"a number from 0 to {MAX_GUIDANCE_SCALE}, or null"),
    ] = None
    seed: Annotated[
        int | None,
        Field(ge=0, le=MAX_SEED, description="Image k is made with seed + k; null for a random one."),
        Must("a whole number from 0 to 2^63-1, or null"),
    ] = None
    sampler: Annotated[
        Literal["ddim", "euler", "euler_ancestral", "dpmpp_2m", "heun", "lcm"] | None,
        Field(description="How a step is made of what the model finds; null for the stage's own choice."),
        Must("ddim, euler, euler_ancestral, dpmpp_2m, heun, lcm or null"),
    ] = None
    schedule: Annotated[
        Literal["keras-cv", "range", "leading", "trailing", "karras", "lcm"] | None,
        Field(description="Which timesteps are visited; null for the sampler's own choice."),
        Must("keras-cv, range, leading, trailing, karras, lcm or null"),
    ] = None
    size: Annotated[
        str | None,
        Field(
            pattern=r"^[1-9]\d{0,4}x[1-9]\d{0,4}$",
            description="Width and height of what the model makes: its own, which null stands for, or what "
            "`sizes` in GET /v1/stages says. In inpainting, that of the window that it sees.",
        ),
        Must("WIDTHxHEIGHT such as 64x64, or null"),
    ] = None
    model: Annotated[
        str | None,
        Field(
            max_length=MAX_MODEL,
            description="A fine-tuned model beside the standard one, by its name in GET /v1/stages; null for "
            "the standard one.",
        ),
        Must(f"a model's name of at most {MAX_MODEL} characters, or null"),
    ] = None
    output_format: Annotated[
        Literal["png", "webp", "jpeg"] | None,
        Field(description="File type of the pictures; null for what `Accept` names, else png."),
        Must("png, webp, jpeg or null"),
    ] = None

    def to_request(self, inpainting: Inpainting | None = None) -> GenerateRequest:
        return GenerateRequest(
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            num_images=self.num_images,
            steps=self.steps,
            guidance_scale=self.guidance_scale,
            seed=self.seed,
            sampler=self.sampler,
            schedule=self.schedule,
            size=_size(self.size),
            inpainting=inpainting,
            model=self.model,
        )


class Inpaint(TextToImage):
    """What to make, in which part of a picture. The answer has the picture's own size."""

    image: Annotated[
        str,
        Field(description="PNG, JPEG or WebP as base64 or data: URL; in a form, a file."),
        Must("base64 of a PNG, JPEG or WebP file"),
    ]
    mask: Annotated[
        str,
        Field(description="Of the image's size; as base64 or data: URL; in a form, a file."),
        Must("base64 of a PNG, JPEG or WebP file"),
    ]
    mask_convention: Annotated[
        Literal["white-is-repaint", "transparent-is-repaint", "nonzero-is-keep"],
        Field(
            description="white-is-repaint: brightness over 127. transparent-is-repaint: alpha under 128. "
            "nonzero-is-keep: repaint where every channel is 0."
        ),
        Must(", ".join(MASK_CONVENTIONS)),
    ] = "white-is-repaint"
    num_resamples: Annotated[
        int,
        Field(ge=1, le=MAX_RESAMPLES, description="How often each step is repeated to blend old and new."),
        Must(f"a whole number from 1 to {MAX_RESAMPLES}"),
    ] = 1


class GeneratedImage(BaseModel):
    data: Annotated[str, Field(description="The file as base64.")]
    media_type: str
    seed: Annotated[int | None, Field(description="null where the stage does not say that it obeys seeds.")]
    width: int
    height: int


class CallEvidence(BaseModel):
    """What one stage did: where, in how many seconds, with how many bytes there and back, by which model."""

    stage: str
    replica: Annotated[str, Field(description="The address that gave the answer.")]
    attempts: Annotated[int, Field(description="1 where the first replica that was asked gave it.")]
    seconds: Annotated[float, Field(description="From the first attempt to the answer.")]
    seconds_waiting: Annotated[
        float,
        Field(description="For attempts that failed, for an endpoint to wake, and in the stage's queue."),
    ]
    seconds_computing: Annotated[
        float | None, Field(description="In the stage's handler; null for a plain endpoint.")
    ]
    seconds_on_the_wire: Annotated[float | None, Field(description="The rest; null for a plain endpoint.")]
    bytes_sent: int
    bytes_received: int
    model: Annotated[str | None, Field(description="null for a plain endpoint.")]
    model_hash: Annotated[str | None, Field(description="Of the stage's own part of the model.")]


class Generated(BaseModel):
    """The answer in JSON."""

    id: Annotated[str, Field(description="The request id, also in x-request-id.")]
    images: list[GeneratedImage]
    parameters: Annotated[dict[str, Any], Field(description="The values that were really used.")]
    stages: list[CallEvidence]
    warnings: list[str]
    seconds: float


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, height = text.split("x")
    return int(width), int(height)


def _sample(ground: int, square: int) -> str:
    """A small picture for the examples: a square in the middle of a ground, each of one brightness."""
    pixels = np.full((64, 64, 3), ground, np.uint8)
    pixels[16:48, 16:48] = square
    return base64.b64encode(encode_picture(Picture(pixels), "png", {})).decode()


TEXT_TO_IMAGE_EXAMPLES: dict[str, Any] = {
    "the least": {"value": {"prompt": "a red apple"}},
    "everything": {
        "value": {
            "prompt": "a red apple on a yellow background",
            "negative_prompt": "green",
            "num_images": 2,
            "steps": 20,
            "guidance_scale": 4.0,
            "seed": 42,
            "sampler": "ddim",
            "schedule": "keras-cv",
            "output_format": "png",
        }
    },
}
INPAINT_EXAMPLES: dict[str, Any] = {
    "a square in the middle": {
        "value": {"prompt": "a red apple", "seed": 42, "image": _sample(200, 160), "mask": _sample(0, 255)}
    }
}
