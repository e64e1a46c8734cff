"""What a stage says of itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

LATENT_FACTOR = 8
"""Pixels of the model's picture to one of its latent, each way."""

Shapes = dict[str, tuple[int, ...]]
"""By tensor, without the batch axis."""
Size = tuple[int, int]
"""(width, height) in pixels"""


class Model(BaseModel):
    """Which model a stage runs; the hash is of the stage's own part of it."""

    variant: str
    name: str
    hash: str


class Sizes(BaseModel):
    """Any width and height, in pixels, that are multiples of `multiple` from `min` to `max`."""

    multiple: Annotated[PositiveInt, Field(multiple_of=LATENT_FACTOR)]
    min: PositiveInt
    max: PositiveInt

    def has(self, size: Size) -> bool:
        return all(side % self.multiple == 0 and self.min <= side <= self.max for side in size)


class Wire(BaseModel):
    """What a stage takes and gives beside the contract's JSON; an answer's pictures may come as files."""

    content_types: list[str]
    dtypes: list[str] = []
    image_formats: list[str] = []


class Info(BaseModel):
    """What is known of a stage: what it announces, or, without a model, the shapes of a plain endpoint.

    `shapes` are those of the stage's own size, without the batch axis; `sizes` is None where it has no other.
    `resampling` are the samplers that can repeat a step.
    """

    model_config = ConfigDict(extra="allow")

    stage: str
    model: Model | None = None
    shapes: dict[str, tuple[PositiveInt, ...]]
    sizes: Sizes | None = None
    dtype: str | None = None
    limits: dict[str, int] = {}
    defaults: dict[str, int | float] = {}
    extras: list[str] = []
    samplers: list[str] = []
    schedules: list[str] = []
    resampling: list[str] = []
    wire: Wire | None = None

    @field_validator("shapes")
    @classmethod
    def _pictures_are_rgb(cls, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        image, latent = shapes.get("image", (1, 1, 3)), shapes.get("latent", (1, 1, 4))
        if len(image) != 3 or image[2] != 3:
            raise ValueError(f"image must have the shape (height, width, 3); got {image}")
        if len(latent) != 3:
            raise ValueError(f"latent must have the shape (height, width, channels); got {latent}")
        return shapes


class Announced(Info):
    """The answer to `GET /info`, which a plain endpoint does not have."""

    model: Model


def announces(info: Info | None, extra: str) -> bool:
    """Whether the stage says that it does more than the contract in this."""
    return info is not None and extra in info.extras


def read_shapes(text: str) -> Shapes:
    """From `context=77x768,latent=64x64x4`; ValueError with a sentence."""
    shapes: Shapes = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        match = re.fullmatch(r"([a-z_]+)=([1-9][0-9]{0,4}(?:x[1-9][0-9]{0,4})*)", entry)
        if not match:
            raise ValueError(f"must be like context=77x768,latent=64x64x4; got {entry!r}")
        shapes[match[1]] = tuple(int(side) for side in match[2].split("x"))
    return shapes


Infos = Mapping[str, Info | None]
"""What each stage of a request's way announces; None for a plain endpoint."""


class Programs(BaseModel):
    """Batch sizes that are compiled, of how many."""

    warm: int
    of: int


class Queue(BaseModel):
    """Requests that wait, of at most so many, and how long the first of them has."""

    waiting: int
    limit: int
    oldest_seconds: float


class Memory(BaseModel):
    """What the process holds, and what it may; null where its system does not say."""

    used_bytes: int | None
    limit_bytes: int | None


class Vitals(BaseModel):
    """How a stage of ours is faring; null is what it does not say."""

    programs: Programs | None = None
    queue: Queue | None = None
    memory: Memory | None = None


class Readiness(Vitals):
    """The answer of ours to `GET /ready`, whether ready or not."""

    stage: str
    state: str
    progress: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class State:
    """What a replica is found to be; `endpoint` is None where it could not be told.

    `state` is the stage's own word (`starting` … `warm`, `failed`, `stopping`), or `unreachable`, or
    `on demand` for a Hugging Face Endpoint, which is not probed because a probe would keep it awake, or what
    an answer told: `waking` (requests are held until it is awake), `paused`, `unauthorized`, `misplaced`.
    """

    url: str
    state: str
    progress: float | None = None
    error: str | None = None
    endpoint: str | None = None
    vitals: Vitals | None = None

    @property
    def ready(self) -> bool:
        return self.state in ("warm", "on demand", "waking")
