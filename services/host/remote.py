"""The decoder as a VAE for diffusers: what its `remote_decode` and `remote_encode` ask for."""

import asyncio
from collections.abc import Callable
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from triptych.remote_vae import RemoteAnswer, RemoteDecode, RemoteEncode
from triptych.wire import Array, Tensors

from .body import read_bytes
from .facades import stage_of
from .handler import TensorHandler, gives_tensors
from .stage import Stage

TASK = "task"
"""The extra that a handler announces if it decodes and encodes."""


async def remote_decode(request: Request) -> Response:
    """Images of latents, in diffusers' wire."""
    stage, handler = _vae(request)
    async with stage.enter():
        items, accept = request.query_params.multi_items(), request.headers.get("accept", "")
        body = await _body(request, stage)
        asked = await asyncio.to_thread(RemoteDecode.read, items, accept, body)
        return await stage.answer(
            request, partial(handler.tensors, asked.payload), _rendering("image", asked.answer)
        )


async def remote_encode(request: Request) -> Response:
    """Latents of images, in diffusers' wire: the mean of what the VAE's encoder finds."""
    stage, handler = _vae(request)
    async with stage.enter():
        body = await _body(request, stage)
        asked = await asyncio.to_thread(RemoteEncode.read, request.query_params.multi_items(), body)
        return await stage.answer(
            request, partial(handler.tensors, asked.payload), _rendering("latent", asked.answer)
        )


def _vae(request: Request) -> tuple[Stage, TensorHandler]:
    stage = stage_of(request)
    handler = stage.warm_handler()
    if not gives_tensors(handler) or TASK not in (stage.info or {}).get("extras", []):
        raise HTTPException(404)
    return stage, handler


async def _body(request: Request, stage: Stage) -> bytes:
    return await read_bytes(request, stage.shared.settings.max_body_bytes, stage.shared.settings.body_timeout)


def _rendering(tensor: str, answer: Callable[[Array], RemoteAnswer]) -> Callable[[Tensors], Response]:
    def render(tensors: Tensors) -> Response:
        made = answer(tensors[tensor])
        return Response(made.body, media_type=made.media_type, headers=dict(made.headers))

    return render
