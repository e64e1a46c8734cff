"""Results as OpenAI's clients read them."""

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fastapi.responses import JSONResponse

from ...fitting import scale
from ...images import LOSSY_QUALITY, MEDIA_TYPES, decode_picture, encode_picture, stretch
from ...infotext import infotext
from ...requests import GenerateResult
from ..answers import evidence_headers
from .schemas import AUTO, Datum, Generation, ImagesResponse
from .translation import Order

MAX_PREVIEW_PIXELS = 4096 * 4096

Keep = Callable[[bytes, str], str]
"""The address of a file of a media type."""


def fit(order: Order, result: GenerateResult) -> GenerateResult:
    """The result in the size that the answer must have, with the warnings of the request."""
    fitted = scale(result, order.size) if order.size else result
    return replace(fitted, warnings=[*order.warnings, *fitted.warnings])


def files(body: Generation, order: Order, result: GenerateResult) -> list[bytes]:
    """The pictures, encoded."""
    quality = LOSSY_QUALITY if body.output_compression is None else body.output_compression
    return [
        encode_picture(
            picture, output_format(body), {"parameters": infotext(order.request, result, index)}, quality
        )
        for index, picture in enumerate(result.pictures)
    ]


def output_format(body: Generation) -> str:
    return body.output_format or "png"


def answer(body: Generation, result: GenerateResult, encoded: Sequence[bytes], keep: Keep) -> JSONResponse:
    """`keep` is asked for an address of each file where the client wants one."""
    media_type = MEDIA_TYPES[output_format(body)]
    data = [
        Datum(url=keep(file, media_type), seed=seed)
        if body.response_format == "url"
        else Datum(b64_json=base64.b64encode(file).decode(), seed=seed)
        for file, seed in zip(encoded, result.seeds, strict=True)
    ]
    said = ImagesResponse(data=data, **traits(body, result.pictures[0].size), created=int(time.time()))
    return JSONResponse(said.model_dump(exclude_none=True), headers=evidence_headers(result))


def traits(body: Generation, size: tuple[int, int] | None) -> dict[str, Any]:
    """What pictures are like."""
    return {
        "background": "opaque",
        "output_format": output_format(body),
        "size": "x".join(map(str, size)) if size else AUTO,
        "quality": body.quality or AUTO,
    }


def enlarge(preview: bytes, size: tuple[int, int] | None, body: Generation) -> bytes:
    """A preview in the size and format of the answer."""
    picture = decode_picture("preview", preview, MAX_PREVIEW_PIXELS)
    return encode_picture(stretch(picture, size) if size else picture, output_format(body), {})
