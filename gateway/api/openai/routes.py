"""OpenAI's routes: generations, edits, models."""

import asyncio
import time
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from ...catalogue import find_model, list_models
from ...errors import InvalidRequest
from ...fitting import check_room, generate_batches, generate_fitted
from ...runtime import runtime_of
from ..body import body_limits, read_json, read_json_or_form
from ..connection import admitted, client_of, while_connected
from ..narration import narrate
from ..openapi import form_body, json_body, reads
from ..rendering import error_responses
from ..stream import MEDIA_TYPE, EventStream
from .answers import answer, files, fit
from .errors import OpenAIError
from .schemas import GENERATION_EXAMPLES, Edit, Generation, ImagesResponse, ModelCard, ModelList
from .streaming import Storyteller, preview_every
from .translation import Order, read_edit, read_generation

FILES = frozenset({"image", "mask"})
ERRORS = error_responses(OpenAIError)
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": ImagesResponse, "content": {MEDIA_TYPE: {}}},
    **ERRORS,
}

router = APIRouter(prefix="/v1", tags=["OpenAI"])


@router.post(
    "/images/generations",
    response_model=None,
    summary="Text to image",
    responses=ANSWERS,
    openapi_extra=reads(json_body(Generation, GENERATION_EXAMPLES)),
)
async def generations(request: Request) -> Response:
    """`client.images.generate(…)` of OpenAI's clients, with `stream` as well."""
    async with AsyncExitStack() as stack:
        stack.enter_context(admitted(request))
        body = await read_json(request, Generation, body_limits(runtime_of(request).settings))
        order = read_generation(body, await _model(request, body))
        return await _respond(request, "image_generation", body, order, stack)


@router.post(
    "/images/edits",
    response_model=None,
    summary="Edit a picture",
    responses=ANSWERS,
    openapi_extra=reads(form_body(Edit, FILES)),
)
async def edits(request: Request) -> Response:
    """`client.images.edit(…)` of OpenAI's clients: what is transparent in the mask is repainted."""
    async with AsyncExitStack() as stack:
        stack.enter_context(admitted(request))
        settings = runtime_of(request).settings
        body = await read_json_or_form(request, Edit, body_limits(settings), FILES)
        model, most = await _model(request, body), settings.max_image_pixels // body.number
        order = await asyncio.to_thread(read_edit, body, model, most)
        return await _respond(request, "image_edit", body, order, stack)


@router.get("/images/files/{name}", responses={404: {"model": OpenAIError}})
async def kept_file(request: Request, name: str) -> Response:
    """A picture that was asked for as an address."""
    kept = request.state.shelf.get(name)
    if kept is None:
        raise HTTPException(404, "This picture is not kept any more; an address lasts for an hour at most.")
    return Response(kept.content, media_type=kept.media_type)


@router.get("/models", responses=ERRORS)
async def models(request: Request) -> ModelList:
    """The standard model, then those beside it."""
    entries = await list_models(runtime_of(request).stages)
    return ModelList(data=[_model_card(entry.id) for entry in entries])


@router.get("/models/{name}", responses={404: {"model": OpenAIError}})
async def model(request: Request, name: str) -> ModelCard:
    """One model."""
    try:
        return _model_card(find_model(name, await list_models(runtime_of(request).stages)).id)
    except InvalidRequest as error:
        raise HTTPException(404, error.message) from None


def _model_card(name: str) -> ModelCard:
    return ModelCard(id=name, created=int(time.time()), owned_by="triptych")


async def _model(request: Request, body: Generation) -> str | None:
    if body.model is None:
        return None
    return find_model(body.model, await list_models(runtime_of(request).stages)).model


async def _respond(
    request: Request, kind: str, body: Generation, order: Order, stack: AsyncExitStack
) -> Response:
    check_room(order.size, body.number, runtime_of(request).settings.max_image_pixels)
    order = replace(order, request=replace(order.request, client=client_of(request)))
    if body.stream:
        return await _stream(request, kind, body, order, stack)
    work = generate_fitted(runtime_of(request).pipeline, order.request)
    result = await asyncio.to_thread(fit, order, await while_connected(request, work))
    encoded = await asyncio.to_thread(files, body, order, result)
    return answer(body, result, encoded, lambda file, media_type: _address(request, file, media_type))


def _address(request: Request, file: bytes, media_type: str) -> str:
    """Where the file is for a while."""
    return str(request.url_for("kept_file", name=request.state.shelf.put(file, media_type)))


async def _stream(
    request: Request, kind: str, body: Generation, order: Order, stack: AsyncExitStack
) -> Response:
    """What goes wrong before anything happens is an error of its own, not an event."""
    pipeline = runtime_of(request).pipeline
    offer = await pipeline.offer(order.request)
    every = preview_every(body.partial_images or 0, body.steps or offer.steps)
    happenings = await stack.enter_async_context(
        aclosing(narrate(lambda watcher: generate_batches(pipeline, order.request, watcher), every))
    )
    first = await while_connected(request, anext(happenings))
    size = order.size or offer.own
    storyteller = Storyteller(kind, body, order, size, request.state.request_id, request.url.path)
    return EventStream(storyteller.tell(first, happenings), stack.pop_all(), storyteller.stopping())
