"""What is handed in as a job, and what is told of one."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..body import Must
from ..failure import ErrorFields
from ..schemas import ImageToImage, Inpaint, TextToImage

KINDS: dict[str, type[TextToImage]] = {"txt2img": TextToImage, "img2img": ImageToImage, "inpaint": Inpaint}
"""The routes that would do it at once, and their requests."""


class WebhookRequest(BaseModel):
    url: Annotated[str, Field(description="On a host that the setting WEBHOOK_HOSTS names.")]
    secret: Annotated[str, Field(description="whsec_ and base64 of 24 to 64 bytes: the signature's key.")]


class JobRequest(BaseModel):
    """What is to be made, as the route of this kind takes it in JSON."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Annotated[
        Literal["txt2img", "img2img", "inpaint"],
        Field(description="The route that would do it at once."),
        Must("txt2img, img2img or inpaint"),
    ]
    request: Annotated[
        dict[str, Any],
        Field(description="The JSON body of that route."),
        Must("an object, as the route of this kind takes it"),
    ]
    webhook: Annotated[
        WebhookRequest | None,
        Field(description="Who is told when the job has ended; null: nobody."),
        Must("an object of two strings, url and secret, or null"),
    ] = None


class Links(BaseModel):
    job: str
    events: str
    result: str


class Job(BaseModel):
    """One job, as it is now."""

    id: str
    kind: str
    state: Annotated[str, Field(description="queued, running, done, failed or cancelled.")]
    position: Annotated[int | None, Field(description="Its place in the line, 1 being the next.")]
    stage: Annotated[str | None, Field(description="Where it is, while it runs.")]
    step: int
    steps: Annotated[int, Field(description="Of the denoising; 0 before it has begun.")]
    seconds_left: Annotated[float | None, Field(description="Of the denoising, where the stage says so.")]
    created: datetime
    began: datetime | None
    ended: datetime | None
    request: Annotated[dict[str, Any], Field(description="With the seed that was drawn, less pictures.")]
    preview: Annotated[
        list[str] | None,
        Field(description="With ?preview=true and preview_every: the newest, PNG files as base64."),
    ] = None
    error: Annotated[ErrorFields | None, Field(description="Of a job that failed or was cancelled.")]
    webhook: Annotated[str | None, Field(description="pending, delivered or failed; null: there is none.")]
    links: Links


class JobList(BaseModel):
    jobs: Annotated[list[Job], Field(description="The newest first.")]
