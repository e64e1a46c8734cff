"""What a stage says of itself."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, PositiveInt, field_validator


class Model(BaseModel):
    """Which model a stage runs; the hash is of the stage's own part of it."""

    variant: str
    name: str
    hash: str


class Info(BaseModel):
    """The answer to `GET /info`, which a plain endpoint does not have; shapes are without the batch axis."""

    model_config = ConfigDict(extra="allow")

    stage: str
    model: Model
    shapes: dict[str, tuple[PositiveInt, ...]]
    limits: dict[str, int] = {}
    defaults: dict[str, int | float] = {}
    extras: list[str] = []
    schedules: list[str] = []

    @field_validator("shapes")
    @classmethod
    def _pictures_are_rgb(cls, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        image = shapes.get("image", (1, 1, 3))
        if len(image) != 3 or image[2] != 3:
            raise ValueError(f"image must have the shape (height, width, 3); got {image}")
        return shapes


class Readiness(BaseModel):
    """The answer of ours to `GET /ready`, whether ready or not."""

    stage: str
    state: str
    progress: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class State:
    """What a replica is found to be; `endpoint` is None where it could not be told.

    `state` is the stage's own word (`starting` … `warm`, `failed`, `stopping`), or `unreachable`, or
    `on demand` for a Hugging Face Endpoint, which is not probed because a probe would keep it awake.
    """

    url: str
    state: str
    progress: float | None = None
    error: str | None = None
    endpoint: str | None = None

    @property
    def ready(self) -> bool:
        return self.state in ("warm", "on demand")
