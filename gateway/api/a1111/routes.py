"""AUTOMATIC1111's routes that draw, and those that look at and interrupt it."""

import asyncio
from dataclasses import replace
from typing import Any, cast

from fastapi import APIRouter, HTTPException, Request, Response

from ...fitting import check_room, generate_batches
from ...images import decode_base64, read_texts
from ...infotext import read_infotext
from ...requests import GenerateRequest
from ...runtime import runtime_of
from ..body import body_limits, read_json
from ..connection import admitted, client_of, owner_of, while_connected
from ..openapi import json_body, reads
from ..rendering import error_responses
from .activity import Activities
from .answers import answer, as_text, enlarge, finish
from .canvas import Canvas, read_canvas
from .errors import WebUIError
from .options import chosen_model
from .schemas import (
    IMG2IMG_EXAMPLES,
    PNG_INFO_EXAMPLES,
    TXT2IMG_EXAMPLES,
    Drawn,
    HiresTxt2Img,
    Img2Img,
    PngInfo,
    PngInfoAnswer,
    ProgressAnswer,
    State,
    Txt2Img,
)
from .translation import read_request

PARAMETERS = "parameters"
"""The text of a PNG file that says how it was made."""
ERRORS = error_responses(WebUIError)
ANSWERS: dict[int | str, dict[str, Any]] = {200: {"model": Drawn}, 400: {"model": WebUIError}, **ERRORS}

router = APIRouter(prefix="/sdapi/v1", tags=["AUTOMATIC1111"])


def activities_of(request: Request) -> Activities:
    return cast(Activities, request.state.activities)


@router.post(
    "/txt2img",
    response_model=None,
    summary="Text to image",
    responses=ANSWERS,
    openapi_extra=reads(json_body(HiresTxt2Img, TXT2IMG_EXAMPLES)),
)
async def txt2img(request: Request) -> Response:
    """Makes pictures of a prompt."""
    with admitted(request):
        body = await read_json(request, HiresTxt2Img, body_limits(runtime_of(request).settings))
        asked, warnings = await _read(request, body)
        return await _draw(request, body, asked, None, warnings)


@router.post(
    "/img2img",
    response_model=None,
    summary="Image to image, and inpainting",
    responses={404: {"model": WebUIError}, **ANSWERS},
    openapi_extra=reads(json_body(Img2Img, IMG2IMG_EXAMPLES)),
)
async def img2img(request: Request) -> Response:
    """Makes pictures of a picture; with a mask, of the part that is white in it."""
    with admitted(request):
        settings = runtime_of(request).settings
        body = await read_json(request, Img2Img, body_limits(settings))
        if not body.init_images:
            raise HTTPException(404, "Init image not found")
        asked, warnings = await _read(request, body)
        canvas = await asyncio.to_thread(read_canvas, body, settings.max_image_pixels // body.number)
        asked = await asyncio.to_thread(canvas.prepare, asked, body)
        return await _draw(request, body, asked, canvas, warnings)


async def _read(request: Request, body: Txt2Img) -> tuple[GenerateRequest, list[str]]:
    """Refuses what is too much before anything is made of it."""
    for size in (body.size, body.final_size):
        check_room(size, body.number, runtime_of(request).settings.max_image_pixels)
    asked, warnings = read_request(body, await chosen_model(request, body.override_settings))
    return replace(asked, client=client_of(request)), warnings


async def _draw(
    request: Request, body: Txt2Img, asked: GenerateRequest, canvas: Canvas | None, warnings: list[str]
) -> Response:
    pipeline = runtime_of(request).pipeline
    with activities_of(request).begin(body.n_iter, body.final_size, owner_of(request)) as activity:
        work = activity.perform(lambda watcher: generate_batches(pipeline, asked, watcher))
        await while_connected(request, work)
    result = await asyncio.to_thread(finish, body, asked, activity, canvas, warnings)
    return await asyncio.to_thread(answer, body, replace(asked, inpainting=None), result)


@router.get("/progress", responses=ERRORS)
async def progress(request: Request, skip_current_image: bool = False) -> ProgressAnswer:
    """How far the oldest request is that is under way, with the picture as it forms."""
    activity = activities_of(request).current(owner_of(request))
    if activity is None:
        return ProgressAnswer()
    image = None
    if activity.previews and not skip_current_image:
        picture = await asyncio.to_thread(enlarge, activity.previews[0], activity.size)
        image = await asyncio.to_thread(as_text, picture)
    latest = activity.latest
    state = State(
        interrupted=activity.interrupted,
        job=activity.job,
        job_count=activity.count,
        job_timestamp=activity.timestamp,
        job_no=len(activity.done),
        sampling_step=latest.step if latest else 0,
        sampling_steps=latest.steps if latest else 0,
    )
    return ProgressAnswer(
        progress=activity.progress, eta_relative=activity.seconds_left, state=state, current_image=image
    )


@router.post("/interrupt", responses=ERRORS)
async def interrupt(request: Request) -> dict[str, Any]:
    """Ends the request that `progress` shows: it is answered with what there is of it."""
    if activity := activities_of(request).current(owner_of(request)):
        activity.interrupt()
    return {}


@router.post("/skip", responses=ERRORS)
async def skip(request: Request) -> None:
    """As interrupt."""
    await interrupt(request)


@router.post("/png-info", responses=ERRORS, openapi_extra=reads(json_body(PngInfo, PNG_INFO_EXAMPLES)))
async def png_info(request: Request) -> PngInfoAnswer:
    """How a picture was made, by the text in its file."""
    settings = runtime_of(request).settings
    body = await read_json(request, PngInfo, body_limits(settings))
    data = decode_base64("image", body.image)
    texts = await asyncio.to_thread(read_texts, "image", data, settings.max_image_pixels)
    text = texts.get(PARAMETERS, "")
    return PngInfoAnswer(info=text, items=texts, parameters=read_infotext(text) if text else {})
