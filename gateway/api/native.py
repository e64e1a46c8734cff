"""The gateway's own routes: text to image, image to image, and inpainting."""

import asyncio
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from fastapi import APIRouter, Request, Response

from ..images import (
    MEDIA_TYPES,
    Picture,
    check_mask,
    decode_base64,
    decode_greys,
    decode_mask,
    decode_picture,
)
from ..progress import Watcher
from ..requests import Inpainting
from ..runtime import runtime_of
from ..settings import Settings
from .answers import JSON, answer_type, make_answer
from .body import body_limits, read_json, read_json_or_form
from .connection import admitted, client_of, start, while_connected
from .examples import IMAGE_TO_IMAGE_EXAMPLES, INPAINT_EXAMPLES, TEXT_TO_IMAGE_EXAMPLES
from .generated import Generated
from .jobs.keeping import answer_as_job
from .openapi import form_body, json_body, reads
from .rendering import ERROR_RESPONSES
from .schemas import NOTHING_GIVEN, Given, ImageToImage, Inpaint, TextToImage
from .stream import MEDIA_TYPE as EVENT_STREAM
from .stream import EventStream
from .unread import Unread, stopping_event, tell

IMAGE = frozenset({"image"})
IMAGE_AND_MASK = frozenset({"image", "mask"})
"""The fields of a form that are files."""


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Generated,
        "content": {media_type: {} for media_type in (*MEDIA_TYPES.values(), EVENT_STREAM)},
    },
    **ERROR_RESPONSES,
}

router = APIRouter(prefix="/v1", tags=["pictures"])


@router.post(
    "/txt2img",
    response_model=None,
    summary="Text to image",
    responses=ANSWERS,
    openapi_extra=reads(json_body(TextToImage, TEXT_TO_IMAGE_EXAMPLES)),
)
async def txt2img(request: Request) -> Response:
    """Makes pictures of a prompt.

    `Accept` chooses the answer: JSON with pictures, seeds and what each stage did; one image file; or
    `text/event-stream`: events `progress` and, with `preview_every`, `preview` while it is under way, and as
    the last one `result`, which is the JSON, or `error`.
    """
    with ExitStack() as entered:
        entered.enter_context(admitted(request))
        body = await read_json(request, TextToImage, body_limits(runtime_of(request).settings))
        return await _answer(request, body, entered)


@router.post(
    "/img2img",
    response_model=None,
    summary="Image to image",
    responses=ANSWERS,
    openapi_extra=reads(json_body(ImageToImage, IMAGE_TO_IMAGE_EXAMPLES), form_body(ImageToImage, IMAGE)),
)
async def img2img(request: Request) -> Response:
    """Makes something new of a picture; `strength` says how much of it may change."""
    with ExitStack() as entered:
        entered.enter_context(admitted(request))
        settings = runtime_of(request).settings
        body = await read_json_or_form(request, ImageToImage, body_limits(settings), IMAGE)
        return await _answer(request, body, entered)


@router.post(
    "/inpaint",
    response_model=None,
    summary="Inpainting",
    responses=ANSWERS,
    openapi_extra=reads(json_body(Inpaint, INPAINT_EXAMPLES), form_body(Inpaint, IMAGE_AND_MASK)),
)
async def inpaint(request: Request) -> Response:
    """Makes something new in a part of a picture; every pixel outside that part stays as it was."""
    with ExitStack() as entered:
        entered.enter_context(admitted(request))
        settings = runtime_of(request).settings
        body = await read_json_or_form(request, Inpaint, body_limits(settings), IMAGE_AND_MASK)
        return await _answer(request, body, entered)


async def _answer(request: Request, body: TextToImage, entered: ExitStack) -> Response:
    """What was entered is left when the work is done, which may be after the client has left."""
    media_type, runtime = answer_type(request, body, EVENT_STREAM), runtime_of(request)
    if body.on_disconnect == "keep":
        await read_given(body, runtime.settings)  # what cannot be read is refused now, and not a job
        return await answer_as_job(request, body, media_type, entered)
    asked = body.to_request(client_of(request), await read_given(body, runtime.settings))

    async def work(watcher: Watcher | None, media_type: str) -> Response:
        result = await runtime.pipeline.generate(asked, watcher)
        return await asyncio.to_thread(make_answer, request, body, asked, result, media_type)

    if media_type != EVENT_STREAM:
        return await while_connected(request, start(work(None, media_type), entered))
    unread, request_id = Unread(), request.state.request_id
    watcher = Watcher(unread.notice, body.preview_every)
    telling = start(tell(work(watcher, JSON), unread, request_id), entered)
    leaving = AsyncExitStack()
    leaving.callback(runtime.background.leave, telling)
    leaving.callback(telling.cancel)
    return EventStream(unread.read(), leaving, stopping_event(request_id))


async def read_given(body: TextToImage, settings: Settings) -> Given:
    """What came with it as files, decoded. Raises InvalidRequest."""
    if isinstance(body, Inpaint):
        most = settings.max_image_pixels // body.num_images
        return Given(inpainting=await asyncio.to_thread(_inpainting, body, most))
    if isinstance(body, ImageToImage):
        return Given(image=await asyncio.to_thread(_picture, body.image, settings.max_image_pixels))
    return NOTHING_GIVEN


def _picture(text: str, max_pixels: int) -> Picture:
    return decode_picture("image", decode_base64("image", text), max_pixels)


def _inpainting(body: Inpaint, max_pixels: int) -> Inpainting:
    picture = _picture(body.image, max_pixels)
    mask = "mask", decode_base64("mask", body.mask), max_pixels, body.mask_convention
    greys = decode_greys(*mask) if body.soft_mask else None
    repaint = decode_mask(*mask) if greys is None else greys > 0
    check_mask(picture, repaint, f"with mask_convention {body.mask_convention}")
    return Inpainting(picture, repaint, body.num_resamples, greys)
