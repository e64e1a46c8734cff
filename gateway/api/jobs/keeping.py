"""A synchronous route's request that is to be kept whatever becomes of its client: a wait on a job."""

from contextlib import ExitStack

from fastapi import Request, Response

from ..connection import while_connected
from ..schemas import TextToImage
from ..stream import MEDIA_TYPE as EVENT_STREAM
from .answers import answer_result, desk_of
from .events import JobStream
from .orders import make_order

JOB_HEADER = "X-Triptych-Job"


async def answer_as_job(request: Request, body: TextToImage, media_type: str, inside: ExitStack) -> Response:
    """The answer of this media type; what the request is inside of is left when the job has ended."""
    desk = desk_of(request)
    id = (await desk.begin(make_order(request, body), inside)).id
    if media_type == EVENT_STREAM:
        return JobStream(request, id, "", {JOB_HEADER: id})
    record = await while_connected(request, desk.wait(id))
    answer = await answer_result(request, record, media_type)
    answer.headers[JOB_HEADER] = id
    return answer
