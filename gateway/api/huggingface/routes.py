"""Addresses for `InferenceClient(model=…)`, and one that an all-in-one handler's clients know already."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from triptych.wire import encode_tensor

from ...errors import NotAcceptable
from ...fitting import check_room, generate_fitted, scale
from ...images import MEDIA_TYPES, decode_base64, encode_picture
from ...infotext import infotext
from ...requests import GenerateRequest, GenerateResult
from ...runtime import runtime_of
from ..accept import choose
from ..answers import FORMATS, evidence_headers
from ..body import body_limits, parse_json, read_bytes, read_fields, read_json
from ..connection import admitted, client_of, while_connected
from ..openapi import json_body, reads
from ..rendering import error_responses
from .errors import HuggingFaceError
from .schemas import (
    ALL_IN_ONE_EXAMPLES,
    IMAGE_TO_IMAGE_EXAMPLES,
    TEXT_TO_IMAGE_EXAMPLES,
    AllInOneTask,
    ImageToImageParameters,
    ImageToImageTask,
    TextToImageParameters,
    TextToImageTask,
)
from .translation import read_all_in_one, read_image_to_image, read_text_to_image

PICTURE: dict[str, Any] = {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}}
ERRORS = error_responses(HuggingFaceError)

router = APIRouter(prefix="/hf", tags=["Hugging Face"])


@router.post(
    "/text-to-image",
    response_model=None,
    responses={200: PICTURE, **ERRORS},
    openapi_extra=reads(json_body(TextToImageTask, TEXT_TO_IMAGE_EXAMPLES)),
)
async def text_to_image(request: Request) -> Response:
    """`InferenceClient(model="http://…/hf/text-to-image").text_to_image(…)`."""
    with admitted(request):
        media_type = _media_type(request)
        task = await read_json(request, TextToImageTask, body_limits(runtime_of(request).settings))
        asked, warnings = read_text_to_image(
            task.inputs, read_fields(TextToImageParameters, task.parameters or {})
        )
        return await _picture(request, asked, asked.size, warnings, media_type)


@router.post(
    "/image-to-image",
    response_model=None,
    responses={200: PICTURE, **ERRORS},
    openapi_extra=reads(json_body(ImageToImageTask, IMAGE_TO_IMAGE_EXAMPLES), PICTURE["content"]),
)
async def image_to_image(request: Request) -> Response:
    """`InferenceClient(model="http://…/hf/image-to-image").image_to_image(…)`, with `mask_image` inpainting.

    The body is a picture, or JSON with a picture and parameters; clients do not always say which.
    """
    with admitted(request):
        settings, media_type = runtime_of(request).settings, _media_type(request)
        body = await read_bytes(request, body_limits(settings))
        image, parameters = await asyncio.to_thread(_read_image, body)
        asked, warnings = await asyncio.to_thread(
            read_image_to_image, image, parameters, settings.max_image_pixels
        )
        return await _picture(request, asked, parameters.size, warnings, media_type)


@router.post(
    "/all-in-one",
    response_model=None,
    responses={200: {"model": str, "description": "Raw uint8 images as base64."}, **ERRORS},
    openapi_extra=reads(json_body(AllInOneTask, ALL_IN_ONE_EXAMPLES)),
)
async def all_in_one(request: Request) -> Response:
    """The contract of the all-in-one handler: a prompt in, a JSON string of raw images out."""
    with admitted(request):
        settings = runtime_of(request).settings
        asked = read_all_in_one(await read_json(request, AllInOneTask, body_limits(settings)))
        check_room(asked.size, asked.num_images, settings.max_image_pixels)
        result = await _generate(request, asked)
        return await asyncio.to_thread(_raw, result)


async def _generate(request: Request, asked: GenerateRequest) -> GenerateResult:
    asked = replace(asked, client=client_of(request))
    return await while_connected(request, generate_fitted(runtime_of(request).pipeline, asked))


def _raw(result: GenerateResult) -> Response:
    """The pictures' bytes one after the other."""
    pixels = np.stack([picture.pixels for picture in result.pictures])
    return JSONResponse(encode_tensor(pixels), headers=evidence_headers(result))


def _media_type(request: Request) -> str:
    """What to answer with, known before any work is done."""
    accept = request.headers.get("accept", "")
    media_type = choose(accept, list(MEDIA_TYPES.values()))
    if media_type is None:
        raise NotAcceptable(f"Accept must allow {' or '.join(MEDIA_TYPES.values())}; got {accept[:200]}.")
    return media_type


def _read_image(body: bytes) -> tuple[bytes, ImageToImageParameters]:
    if body[:64].lstrip()[:1] != b"{":
        return body, ImageToImageParameters()
    task = parse_json(ImageToImageTask, body)
    return decode_base64("inputs", task.inputs), read_fields(ImageToImageParameters, task.parameters or {})


async def _picture(
    request: Request,
    asked: GenerateRequest,
    size: tuple[int, int] | None,
    warnings: list[str],
    media_type: str,
) -> Response:
    """The picture, of this size if one was asked for."""
    check_room(size, 1, runtime_of(request).settings.max_image_pixels)
    result = await _generate(request, asked)
    return await asyncio.to_thread(_encode, asked, result, size, warnings, media_type)


def _encode(
    asked: GenerateRequest,
    result: GenerateResult,
    size: tuple[int, int] | None,
    warnings: list[str],
    media_type: str,
) -> Response:
    fitted = scale(result, size) if size else result
    fitted = replace(fitted, warnings=[*warnings, *fitted.warnings])
    text = {"parameters": infotext(asked, fitted, 0)}
    file = encode_picture(fitted.pictures[0], FORMATS[media_type], text)
    return Response(file, media_type=media_type, headers=evidence_headers(fitted))
