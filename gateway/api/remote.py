"""diffusers' `remote_decode` and `remote_encode`, through the gateway to wherever the decoder is."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response

from triptych.remote_vae import RemoteDecode, RemoteEncode
from triptych.wire import InvalidField

from ..errors import InvalidRequest
from ..runtime import runtime_of
from ..vae import RemoteResult, RemoteVae
from .answers import work_headers
from .body import body_limits, read_bytes
from .connection import admitted, while_connected
from .rendering import ERROR_RESPONSES

Asked = TypeVar("Asked")

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Raw values in C order, with their shape and dtype as headers, or an image file.",
        "content": {"tensor/binary": {}, "image/png": {}, "image/jpeg": {}},
    },
    **ERROR_RESPONSES,
}
BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"tensor/binary": {}, "image/png": {}}}}

router = APIRouter(prefix="/v1/remote", tags=["diffusers"])


@router.post("/decode", response_model=None, responses=ANSWERS, openapi_extra=BODY)
async def decode(request: Request) -> Response:
    """The endpoint for `diffusers.utils.remote_utils.remote_decode`: images of latents."""
    with admitted(request):
        items, accept = request.query_params.multi_items(), request.headers.get("accept", "")
        settings = runtime_of(request).settings
        body = await read_bytes(request, body_limits(settings))
        asked = await _read(lambda: RemoteDecode.read(items, accept, body, settings.max_image_pixels))
        return _response(await while_connected(request, _vae(request).decode(asked)))


@router.post("/encode", response_model=None, responses=ANSWERS, openapi_extra=BODY)
async def encode(request: Request) -> Response:
    """The endpoint for `diffusers.utils.remote_utils.remote_encode`: latents of images."""
    with admitted(request):
        items, settings = request.query_params.multi_items(), runtime_of(request).settings
        body = await read_bytes(request, body_limits(settings))
        asked = await _read(lambda: RemoteEncode.read(items, body, settings.max_image_pixels))
        return _response(await while_connected(request, _vae(request).encode(asked)))


def _vae(request: Request) -> RemoteVae:
    runtime = runtime_of(request)
    return RemoteVae(runtime.stages, runtime.settings.request_timeout)


async def _read(read: Callable[[], Asked]) -> Asked:
    try:
        return await asyncio.to_thread(read)
    except InvalidField as error:
        raise InvalidRequest(f"{error}.", field=error.field) from None


def _response(result: RemoteResult) -> Response:
    answer = result.answer
    headers = {**answer.headers, **work_headers(result.calls, result.seconds, result.warnings)}
    return Response(answer.body, media_type=answer.media_type, headers=headers)
