"""Reads a request: a JSON object, or tensors with one; bounded in size, time, depth and number of values."""

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import Request

from triptych.wire import FIELDS, MEDIA_TYPE, InvalidField, describe, unpack

MAX_VALUES = 10_000


async def read_object(
    request: Request, max_bytes: int, timeout: float, takes_tensors: bool = False
) -> dict[str, Any]:
    """The request's body as an object that has `inputs`: JSON, or safetensors where those are taken.

    Raises InvalidField for a body that is none, and HTTPException for one of another type (415),
    too large (413) or too slow (408).
    """
    parse = _parser(request, takes_tensors)
    return parse(await read_bytes(request, max_bytes, timeout))


async def read_bytes(request: Request, max_bytes: int, timeout: float) -> bytes:
    """The request's body; HTTPException for one too large (413) or too slow (408)."""
    try:
        async with asyncio.timeout(timeout):
            return await _read(request, max_bytes)
    except TimeoutError:
        raise HTTPException(408, f"the body must arrive within {timeout:g} s") from None


def _parser(request: Request, takes_tensors: bool) -> Callable[[bytes], dict[str, Any]]:
    given = request.headers.get("content-type", "")
    name = given.partition(";")[0].strip().lower()
    if name in ("", "application/json"):
        return parse_object
    if name == MEDIA_TYPE and takes_tensors:
        return parse_tensors
    taken = f"application/json or {MEDIA_TYPE}" if takes_tensors else "application/json"
    raise HTTPException(415, f"Content-Type must be {taken}; got {given:.100}")


async def _read(request: Request, max_bytes: int) -> bytes:
    too_large = HTTPException(413, f"the body must be at most {max_bytes} bytes; got more")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    return bytes(body)


def parse_tensors(body: bytes) -> dict[str, Any]:
    """The fields in the metadata, with the tensors as `inputs`; raises InvalidField if `body` is no such."""
    tensors, metadata = unpack("body", body)
    fields = _parse(metadata.get(FIELDS, "{}").encode("utf-8", "replace"))
    return {**fields, "inputs": tensors}


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; raises InvalidField if there is none, or it lacks `inputs`."""
    value = _parse(body)
    if "inputs" not in value:
        raise InvalidField("inputs", "given", "nothing")
    return value


def _parse(body: bytes) -> dict[str, Any]:
    must = "a JSON object in UTF-8"
    # Each value past the first in an object or list has a comma, so this bounds the memory that
    # parsing takes before it takes any; no request of the contract comes near.
    if body.count(b",") >= MAX_VALUES:
        raise InvalidField("body", f"{must} of at most {MAX_VALUES} values", "more commas than that")
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise InvalidField("body", must, "one that is nested too deep") from None
    except ValueError as error:  # broken JSON, broken UTF-8, an integer of thousands of digits
        raise InvalidField("body", must, f"something else ({error})"[:300]) from None
    if not isinstance(value, dict):
        raise InvalidField("body", must, describe(value))
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.40} is too large a number")
    return number
