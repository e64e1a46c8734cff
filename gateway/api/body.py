"""Request bodies: read within bounds, as JSON or multipart, into a model that says what is wrong."""

import asyncio
import base64
import difflib
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from triptych.wire import describe

from ..errors import InvalidRequest, RequestTooLarge, RequestTooSlow, UnsupportedMedia
from ..settings import Settings

SHOWN_ERRORS = 5
MAX_VALUES = 10_000
"""Values in a body of JSON; no request of any dialect comes near."""
MAX_PARTS = 50

Body = TypeVar("Body", bound=BaseModel)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Must:
    """What a field of a model must be, as its error says it; goes into the field's `Annotated`."""

    text: str


@dataclass(frozen=True)
class BodyLimits:
    """The longest body, in bytes, and the seconds within which it must have arrived."""

    size: int
    seconds: float


def body_limits(settings: Settings) -> BodyLimits:
    """What the settings allow."""
    return BodyLimits(settings.max_request_bytes, settings.body_timeout)


async def read_json(request: Request, model: type[Body], limits: BodyLimits) -> Body:
    """The body as this model, from application/json. Raises InvalidRequest naming every field at fault."""
    _check_media_type(request, "application/json")
    return parse_json(model, await read_bytes(request, limits))


def parse_json(model: type[Body], body: bytes) -> Body:
    """The JSON as this model. Raises InvalidRequest as read_json.

    Each value past the first in an object or a list has a comma, so that bounds what parsing takes before it
    takes any: 32 MiB of empty lists were more than 1 GB, and many seconds of the event loop.
    """
    if body.count(b",") >= MAX_VALUES:
        raise InvalidRequest(f"The body must be a JSON object of at most {MAX_VALUES} values; got more.")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(model, error) from None


async def read_bytes(request: Request, limits: BodyLimits) -> bytes:
    """The body as it is. Raises RequestTooLarge or RequestTooSlow."""
    return await _in_time(_read(request, limits.size), limits.seconds)


async def read_json_or_form(
    request: Request, model: type[Body], limits: BodyLimits, files: frozenset[str]
) -> Body:
    """As read_json, or from multipart/form-data, where `files` are the fields that may come as files."""
    if _media_type(request) != "multipart/form-data":
        _check_media_type(request, "application/json", "multipart/form-data")
        return await read_json(request, model, limits)
    return read_fields(model, await _read_form(request, limits, files))


def read_fields(model: type[Body], fields: object) -> Body:
    """These fields as this model; texts may stand for numbers. Raises InvalidRequest as read_json."""
    try:
        return model.model_validate(fields, strict=False)
    except ValidationError as error:
        raise _invalid(model, error) from None


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_media_type(request: Request, *supported: str) -> None:
    if _media_type(request) not in supported:
        raise UnsupportedMedia(
            f"Content-Type must be {' or '.join(supported)}; got {_media_type(request) or 'none'}. "
            "With curl, add -H 'Content-Type: application/json'."
        )


async def _in_time(reading: Coroutine[Any, Any, Result], seconds: float) -> Result:
    """A body that comes too slowly would keep others from their turn."""
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError:
        raise RequestTooSlow(
            f"The request body must arrive within {seconds:g} s; it did not. Send smaller pictures, or raise "
            "BODY_TIMEOUT."
        ) from None


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in _bounded(request, limit):
        body += chunk
    return bytes(body)


async def _bounded(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes; RequestTooLarge as soon as it is known to be longer than the limit."""
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isdigit() else 0
    if size <= limit:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                break
            yield chunk
    if size > limit:
        raise RequestTooLarge(
            f"The request body must be at most {limit} bytes; got {size} or more. Send smaller pictures, "
            "or raise MAX_REQUEST_BYTES."
        )


class MemoryParser(MultiPartParser):
    """Keeps files in memory: they are bounded already, and the file system may be read-only."""

    spool_max_size = 0


async def _read_form(request: Request, limits: BodyLimits, files: frozenset[str]) -> dict[str, str]:
    """Text fields as they are, files as base64, so that both ways of sending a picture are read alike."""
    parser = MemoryParser(
        request.headers,
        _bounded(request, limits.size),
        max_files=MAX_PARTS,
        max_fields=MAX_PARTS,
        max_part_size=limits.size,
    )
    try:
        form = await _in_time(parser.parse(), limits.seconds)
    except MultiPartException as error:
        raise InvalidRequest(
            f"The body must be multipart/form-data; it cannot be read: {error.message}"
        ) from None
    try:
        return await _texts(form, files)
    finally:
        await form.close()


async def _texts(form: FormData, files: frozenset[str]) -> dict[str, str]:
    """The form's fields, less those that say nothing: browsers send an empty text, scripts a "null".

    Some clients write [] behind the name of a field that they have a list for.
    """
    fields: dict[str, str] = {}
    for key, value in form.multi_items():
        name = key.removesuffix("[]")
        if name in fields:
            raise InvalidRequest(f"{name} must be given once; got it again.", field=name)
        if isinstance(value, UploadFile) and name not in files:
            raise InvalidRequest(f"{name} must be a text field; got a file.", field=name)
        text = base64.b64encode(await value.read()).decode() if isinstance(value, UploadFile) else value
        if name == "prompt" or text not in ("", "null"):
            fields[name] = text
    return fields


def _invalid(model: type[BaseModel], error: ValidationError) -> InvalidRequest:
    details = error.errors(include_url=False, include_context=False)
    sentences = dict.fromkeys(_sentence(model, one) for one in details[:SHOWN_ERRORS])
    return InvalidRequest(" ".join(sentences), field=_field(details[0]))


def _field(error: ErrorDetails) -> str | None:
    return str(error["loc"][0])[:60] if error["loc"] else None


def _sentence(model: type[BaseModel], error: ErrorDetails) -> str:
    name = _field(error)
    if error["type"] == "json_invalid":
        return f"The body must be a JSON object; {error['msg']}."
    if name is None:
        return f"The body must be a JSON object; got {describe(error['input'])}."
    if error["type"] == "extra_forbidden":
        return _unknown(model, name)
    got = "nothing" if error["type"] == "missing" else describe(error["input"])
    return f"{name} must be {_must(model, name)}; got {got}."


def _unknown(model: type[BaseModel], name: str) -> str:
    known = list(model.model_fields)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(known)}."
    return f"{name} is not a field of this request. {hint}"


def _must(model: type[BaseModel], name: str) -> str:
    return next(must.text for must in model.model_fields[name].metadata if isinstance(must, Must))
