"""OpenAI's bodies, in and out, with what this gateway takes beside them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ...plan import MAX_SEED
from ..body import Must
from ..samplers import Sampling, read_sampling
from ..schemas import DEFAULT_STRENGTH, MAX_GUIDANCE_SCALE, MAX_MODEL, MAX_PROMPT

MAX_PICTURES = 10
MAX_PARTIAL_IMAGES = 3
AUTO = "auto"


class Generation(BaseModel):
    """What to make, as OpenAI's clients say it; what they have no word for goes into `extra_body`."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    prompt: Annotated[
        str,
        Field(max_length=MAX_PROMPT, description="What the picture shows."),
        Must(f"a string of at most {MAX_PROMPT} characters"),
    ]
    model: Annotated[
        str | None,
        Field(max_length=MAX_MODEL, description="One of GET /v1/models; null for the first of them."),
        Must(f"a model's name of at most {MAX_MODEL} characters, or null"),
    ] = None
    n: Annotated[
        int | None,
        Field(ge=1, le=MAX_PICTURES, description="How many."),
        Must(f"a whole number from 1 to {MAX_PICTURES}"),
    ] = None
    size: Annotated[
        str | None,
        Field(
            pattern=r"^([1-9]\d{0,4}x[1-9]\d{0,4}|auto)$",
            description="Of the answer: where the model does not make it, the nearest size that it makes is "
            "scaled. `auto` is the model's own, in edits the picture's.",
        ),
        Must("WIDTHxHEIGHT such as 1024x1024, or auto"),
    ] = None
    response_format: Annotated[
        Literal["b64_json", "url"] | None,
        Field(description="`url` is an address of this gateway that has the file for an hour."),
        Must("b64_json or url"),
    ] = None
    output_format: Annotated[
        Literal["png", "webp", "jpeg"] | None, Field(description="png if null."), Must("png, webp or jpeg")
    ] = None
    output_compression: Annotated[
        int | None,
        Field(ge=0, le=100, description="Quality of webp and jpeg."),
        Must("a whole number from 0 to 100"),
    ] = None
    stream: Annotated[
        bool | None, Field(description="Events instead of one answer."), Must("true or false")
    ] = None
    partial_images: Annotated[
        int | None,
        Field(ge=0, le=MAX_PARTIAL_IMAGES, description="How often a stream shows the picture forming."),
        Must(f"a whole number from 0 to {MAX_PARTIAL_IMAGES}"),
    ] = None
    background: Annotated[
        str | None, Field(description="Pictures are opaque."), Must("opaque, transparent or auto")
    ] = None
    quality: Annotated[str | None, Field(description="Has no effect; `steps` has."), Must("a string")] = None
    style: Annotated[str | None, Field(description="Has no effect."), Must("a string")] = None
    moderation: Annotated[str | None, Field(description="Has no effect."), Must("a string")] = None
    user: Annotated[str | None, Field(description="Has no effect."), Must("a string")] = None
    negative_prompt: Annotated[
        str | None,
        Field(max_length=MAX_PROMPT, description="What the picture is led away from."),
        Must(f"a string of at most {MAX_PROMPT} characters"),
    ] = None
    seed: Annotated[
        int | None,
        Field(ge=0, le=MAX_SEED, description="Picture k is made with seed + k."),
        Must("a whole number from 0 to 2^63-1"),
    ] = None
    steps: Annotated[
        int | None, Field(ge=1, description="Denoising steps."), Must("a whole number, 1 or more")
    ] = None
    guidance_scale: Annotated[
        float | None,
        Field(ge=0, le=MAX_GUIDANCE_SCALE, description="How closely to follow the prompt."),
        Must(f"a number from 0 to {MAX_GUIDANCE_SCALE}"),
    ] = None
    sampler: Annotated[str | None, Field(description="By any of its names."), Must("a string")] = None
    schedule: Annotated[str | None, Field(description="By any of its names."), Must("a string")] = None

    @property
    def number(self) -> int:
        return self.n or 1

    @property
    def dimensions(self) -> tuple[int, int] | None:
        """(width, height), None where it is not for the client to say."""
        if self.size in (None, AUTO):
            return None
        width, height = str(self.size).split("x")
        return int(width), int(height)

    @property
    def sampling(self) -> Sampling:
        """Raises InvalidRequest for a sampler that nothing is near to."""
        return read_sampling(self.sampler, self.schedule)


class Edit(Generation):
    """What to make of a picture, or of a part of it."""

    image: Annotated[
        str,
        Field(description="PNG, JPEG or WebP. Where no mask is sent, its transparent part is repainted."),
        Must("a PNG, JPEG or WebP file"),
    ]
    mask: Annotated[
        str | None,
        Field(
            description="Of the image's size: transparent where to repaint. None, in no part transparent "
            "either: the picture is made anew as a whole."
        ),
        Must("a PNG or WebP file with an alpha channel"),
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
    input_fidelity: Annotated[str | None, Field(description="Has no effect."), Must("a string")] = None


class Datum(BaseModel):
    """One picture, in the text or at an address."""

    b64_json: str | None = None
    url: str | None = None
    seed: int | None = None


class ImagesResponse(BaseModel):
    """The pictures, and what they are like."""

    created: int
    data: list[Datum]
    background: str = "opaque"
    output_format: str
    size: str
    quality: str


class ModelCard(BaseModel):
    id: str
    object: str = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    object: str = "list"
    data: list[ModelCard]


GENERATION_EXAMPLES: dict[str, Any] = {
    "the least": {"value": {"prompt": "a red apple"}},
    "as its clients send it": {
        "value": {"prompt": "a red apple", "n": 2, "size": "256x256", "output_format": "webp", "seed": 42}
    },
    "watched": {"value": {"prompt": "a red apple", "stream": True, "partial_images": 2}},
}
