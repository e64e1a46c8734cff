"""The native dialect's answer in JSON."""

from typing import Annotated, Any

from pydantic import BaseModel, Field


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
    resumed_at: Annotated[
        list[int],
        Field(description="The steps at which attempts went on from where the one before them had been."),
    ]
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
    cache_hits: Annotated[
        int | None,
        Field(
            description="How much of what the stage looked for among what it keeps (contexts, latents, "
            "pictures) was there; null where it does not say."
        ),
    ]
    cache_misses: Annotated[int | None, Field(description="How much of it was not, and was made.")]


class Generated(BaseModel):
    """The answer in JSON."""

    id: Annotated[str, Field(description="The request id, also in x-request-id.")]
    images: list[GeneratedImage]
    parameters: Annotated[dict[str, Any], Field(description="The values that were really used.")]
    stages: list[CallEvidence]
    warnings: list[str]
    seconds: float
