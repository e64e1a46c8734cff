"""Hugging Face's bodies: of the inference API, and of the all-in-one handler."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ...plan import MAX_SEED
from ..body import Must
from ..examples import INPAINT_EXAMPLES
from ..schemas import DEFAULT_STRENGTH, MAX_GUIDANCE_SCALE, MAX_IMAGES, MAX_PROMPT

MAX_SIDE = 8192

Prompt = Annotated[str, Field(max_length=MAX_PROMPT), Must(f"a string of at most {MAX_PROMPT} characters")]
Side = Annotated[
    int | None, Field(ge=1, le=MAX_SIDE), Must(f"a whole number from 1 to {MAX_SIDE}, in pixels")
]
Steps = Annotated[int | None, Field(ge=1), Must("a whole number, 1 or more")]
Guidance = Annotated[
    float | None, Field(ge=0, le=MAX_GUIDANCE_SCALE), Must(f"a number from 0 to {MAX_GUIDANCE_SCALE}")
]
Seed = Annotated[int | None, Field(ge=0, le=MAX_SEED), Must("a whole number from 0 to 2^63-1")]
Name = Annotated[str | None, Field(max_length=100), Must("a name of at most 100 characters")]


class Task(BaseModel):
    """What a client sends to an inference server."""

    model_config = ConfigDict(allow_inf_nan=False)

    parameters: Annotated[dict[str, Any] | None, Must("an object of parameters")] = None


class TextToImageTask(Task):
    inputs: Annotated[Prompt, Field(description="The prompt.")]


class ImageToImageTask(Task):
    inputs: Annotated[
        str, Field(description="The picture as base64."), Must("base64 of a PNG, JPEG or WebP file")
    ]


class TextToImageParameters(BaseModel):
    """How to make it. What is not known here is ignored, with a warning."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    negative_prompt: Prompt | None = None
    height: Side = None
    width: Side = None
    num_inference_steps: Steps = None
    guidance_scale: Guidance = None
    scheduler: Name = None
    seed: Seed = None

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height), of which one alone stands for a square."""
        width, height = self.width or self.height, self.height or self.width
        return (width, height) if width and height else None


class TargetSize(BaseModel):
    height: Annotated[int, Field(ge=1, le=MAX_SIDE)]
    width: Annotated[int, Field(ge=1, le=MAX_SIDE)]


class ImageToImageParameters(TextToImageParameters):
    prompt: Prompt | None = None
    target_size: Annotated[
        TargetSize | None, Must(f'{{"height", "width"}}, whole numbers from 1 to {MAX_SIDE}')
    ] = None
    strength: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description=f"How much is made anew; null: all of what is masked, else {DEFAULT_STRENGTH}.",
        ),
        Must("a number from 0 to 1"),
    ] = None
    mask_image: Annotated[
        str | None,
        Field(description="White where to repaint, as base64; of the picture's size."),
        Must("base64 of a PNG, JPEG or WebP file"),
    ] = None

    @property
    def size(self) -> tuple[int, int] | None:
        return (self.target_size.width, self.target_size.height) if self.target_size else super().size


class AllInOneTask(BaseModel):
    """A request of the stage contract; further fields are allowed and ignored."""

    model_config = ConfigDict(allow_inf_nan=False)

    inputs: Annotated[Prompt, Field(description="The prompt.")]
    batch_size: Annotated[int, Field(ge=1, le=MAX_IMAGES), Must(f"a whole number from 1 to {MAX_IMAGES}")] = 1
    negative_prompt: Prompt = ""
    num_steps: Steps = None
    unconditional_guidance_scale: Guidance = None
    seed: Seed = None
    sampler: Name = None
    schedule: Name = None
    height: Side = None
    width: Side = None


TEXT_TO_IMAGE_EXAMPLES: dict[str, Any] = {
    "the least": {"value": {"inputs": "a red apple"}},
    "with parameters": {
        "value": {
            "inputs": "a red apple",
            "parameters": {"negative_prompt": "green", "width": 256, "height": 256, "seed": 42},
        }
    },
}
ALL_IN_ONE_EXAMPLES: dict[str, Any] = {"the contract": {"value": {"inputs": "a red apple", "batch_size": 1}}}
_SQUARE: dict[str, Any] = INPAINT_EXAMPLES["a square in the middle"]["value"]
IMAGE_TO_IMAGE_EXAMPLES: dict[str, Any] = {
    "a square in the middle": {
        "value": {
            "inputs": _SQUARE["image"],
            "parameters": {"prompt": "a red apple", "mask_image": _SQUARE["mask"], "seed": 42},
        }
    }
}
