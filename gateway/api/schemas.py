"""The native dialect's requests."""

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ..images import MASK_CONVENTIONS, Picture
from ..plan import MAX_SEED
from ..requests import GenerateRequest, Inpainting
from .body import Must

MAX_PROMPT = 2000
MAX_IMAGES = 100
MAX_GUIDANCE_SCALE = 100
MAX_RESAMPLES = 10
MAX_MODEL = 100
MAX_PREVIEW_EVERY = 1000
MAX_DEEP_INTERVAL = 10
DEFAULT_STRENGTH = 0.75


class Given(NamedTuple):
    """What came as files, decoded."""

    image: Picture | None = None
    inpainting: Inpainting | None = None


NOTHING_GIVEN = Given()


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
        Must("WIDTHxHEIGHT such as 128x128, or null"),
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

    guidance_start: Annotated[
        float | None,
        Field(ge=0, le=1, description="Guidance begins after this part of the steps; null for 0."),
        Must("a number from 0 to 1, or null"),
    ] = None
    guidance_end: Annotated[
        float | None,
        Field(ge=0, le=1, description="Guidance ends after this part of the steps; null for 1."),
        Must("a number from 0 to 1, or null"),
    ] = None
    noise: Annotated[
        Literal["pcg64-v1", "torch-cpu"] | None,
        Field(
            description="What a seed's noise is drawn from: torch-cpu is as PyTorch draws it on a CPU, and "
            "with it diffusers and others; null for the stage's own."
        ),
        Must("pcg64-v1, torch-cpu or null"),
    ] = None
    deep_interval: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_DEEP_INTERVAL,
            description="All of the UNet is run in one step of so many, in the others its shallow layers "
            "only: faster, and slightly another picture; null for 1.",
        ),
        Must(f"a whole number from 1 to {MAX_DEEP_INTERVAL}, or null"),
    ] = None
    preview_every: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_PREVIEW_EVERY,
            description="With `Accept: text/event-stream`, steps between two previews; 0 for none.",
        ),
        Must(f"a whole number from 0 to {MAX_PREVIEW_EVERY}"),
    ] = 0
    on_disconnect: Annotated[
        Literal["cancel", "keep"],
        Field(
            description="What becomes of the work when the client leaves before its end: it is given up, or "
            "it is a job, which goes on; the header X-Triptych-Job names it."
        ),
        Must("cancel or keep"),
    ] = "cancel"

    @property
    def chosen_strength(self) -> float | None:
        """As the stages are told it; None where they begin with noise."""
        return None

    def to_request(self, client: str, given: Given = NOTHING_GIVEN) -> GenerateRequest:
        """From this client, with what was decoded of the body's files."""
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
            inpainting=given.inpainting,
            model=self.model,
            image=given.image,
            strength=self.chosen_strength,
            guidance_start=self.guidance_start,
            guidance_end=self.guidance_end,
            noise=self.noise,
            deep_interval=self.deep_interval,
            client=client,
        )


class ImageToImage(TextToImage):
    """What to make of a picture, which is fitted to the model's size: the middle of it, in the answer too."""

    image: Annotated[
        str,
        Field(description="PNG, JPEG or WebP as base64 or data: URL; in a form, a file."),
        Must("base64 of a PNG, JPEG or WebP file"),
    ]
    strength: Annotated[
        float,
        Field(ge=0, le=1, description="How much of it may change: the part of the steps that is done."),
        Must("a number from 0 to 1"),
    ] = DEFAULT_STRENGTH

    @property
    def chosen_strength(self) -> float | None:
        return self.strength


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
    soft_mask: Annotated[
        bool,
        Field(description="Whether greys of the mask count: such pixels change by so much."),
        Must("true or false"),
    ] = False
    strength: Annotated[
        float,
        Field(ge=0, le=1, description="How much of the masked part may change; 1: it begins with noise."),
        Must("a number from 0 to 1"),
    ] = 1
    num_resamples: Annotated[
        int,
        Field(ge=1, le=MAX_RESAMPLES, description="How often each step is repeated to blend old and new."),
        Must(f"a whole number from 1 to {MAX_RESAMPLES}"),
    ] = 1

    @property
    def chosen_strength(self) -> float | None:
        return self.strength if self.strength < 1 else None


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, height = text.split("x")
    return int(width), int(height)
