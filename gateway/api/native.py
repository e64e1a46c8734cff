"""The gateway's own routes: text to image, and inpainting."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from ..errors import InvalidRequest
from ..images import MEDIA_TYPES, decode_base64, decode_mask, decode_picture
from ..requests import Inpainting
from ..runtime import runtime_of
from .answers import JSON, answer_type, make_answer
from .body import body_limits, read_json, read_json_or_form
from .connection import while_connected
from .rendering import ERROR_RESPONSES
from .schemas import INPAINT_EXAMPLES, TEXT_TO_IMAGE_EXAMPLES, Generated, Inpaint, TextToImage

FILES = frozenset({"image", "mask"})


def _json_body(model: type[BaseModel], examples: dict[str, Any]) -> dict[str, Any]:
    return {JSON: {"schema": model.model_json_schema(), "examples": examples}}


def _form_body(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    files = {name: {**schema["properties"][name], "format": "binary"} for name in FILES}
    return {"multipart/form-data": {"schema": {**schema, "properties": {**schema["properties"], **files}}}}


def _reads(content: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI of a route that reads its body itself."""
    return {"requestBody": {"required": True, "content": content}}


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Generated, "content": {media_type: {} for media_type in MEDIA_TYPES.values()}},
    **ERROR_RESPONSES,
}

router = APIRouter(prefix="/v1", tags=["pictures"])


@router.post(
    "/txt2img",
    response_model=None,
    summary="Text to image",
    responses=ANSWERS,
    openapi_extra=_reads(_json_body(TextToImage, TEXT_TO_IMAGE_EXAMPLES)),
)
async def txt2img(request: Request) -> Response:
    """Makes pictures of a prompt.

    `Accept` chooses the answer: JSON with pictures, seeds and what each stage did, or one image file.
    """
    with runtime_of(request).admission.permit():
        body = await read_json(request, TextToImage, body_limits(runtime_of(request).settings))
        return await _answer(request, body, None)


@router.post(
    "/inpaint",
    response_model=None,
    summary="Inpainting",
    responses=ANSWERS,
    openapi_extra=_reads({**_json_body(Inpaint, INPAINT_EXAMPLES), **_form_body(Inpaint)}),
)
async def inpaint(request: Request) -> Response:
    """Makes something new in a part of a picture; every pixel outside that part stays as it was."""
    with runtime_of(request).admission.permit():
        body = await read_json_or_form(request, Inpaint, body_limits(runtime_of(request).settings), FILES)
        most = runtime_of(request).settings.max_image_pixels // body.num_images
        inpainting = await asyncio.to_thread(_inpainting, body, most)
        return await _answer(request, body, inpainting)


async def _answer(request: Request, body: TextToImage, inpainting: Inpainting | None) -> Response:
    media_type = answer_type(request, body)
    asked = body.to_request(inpainting)
    result = await while_connected(request, runtime_of(request).pipeline.generate(asked))
    return await asyncio.to_thread(make_answer, request, body, asked, result, media_type)


def _inpainting(body: Inpaint, max_pixels: int) -> Inpainting:
    picture = decode_picture("image", decode_base64("image", body.image), max_pixels)
    repaint = decode_mask("mask", decode_base64("mask", body.mask), max_pixels, body.mask_convention)
    height, width = repaint.shape
    if (width, height) != (picture.width, picture.height):
        raise InvalidRequest(
            f"mask must be of the image's size, {picture.width}x{picture.height}; got {width}x{height}.",
            field="mask",
        )
    if not repaint.any():
        raise InvalidRequest(
            f"mask must have something to repaint; with mask_convention {body.mask_convention} got nothing.",
            field="mask",
        )
    return Inpainting(picture, repaint, body.num_resamples)
