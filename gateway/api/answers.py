"""Results as the native dialect answers them: one image file, or JSON with everything."""

import base64
import json
from collections.abc import Sequence

from fastapi import Request, Response

from ..errors import NotAcceptable
from ..images import MEDIA_TYPES, encode_picture
from ..infotext import infotext
from ..requests import GenerateRequest, GenerateResult, StageCall
from ..timing import entry
from .accept import choose
from .failure import header_text
from .generated import CallEvidence, Generated, GeneratedImage
from .schemas import TextToImage

JSON = "application/json"
DEFAULT_FORMAT = "png"
UNRELATED = {"image", "mask", "output_format", "preview_every", "on_disconnect"}
"""Fields of a request that are no parameters of its pictures."""
FORMATS = {media_type: output_format for output_format, media_type in MEDIA_TYPES.items()}


def answer_type(request: Request, body: TextToImage, *streams: str) -> str:
    """The media type to answer with, known before any work is done, `streams` among them where they are
    offered. Raises NotAcceptable."""
    accept = request.headers.get("accept", "")
    formats = [body.output_format] if body.output_format else list(MEDIA_TYPES)
    offers = [JSON, *(MEDIA_TYPES[name] for name in formats if body.num_images == 1), *streams]
    chosen = choose(accept, offers)
    if chosen is None:
        several = ": several images come as JSON" if body.num_images > 1 else ""
        raise NotAcceptable(f"Accept must allow {' or '.join(offers)}{several}; got {accept[:200]}.")
    return chosen


def make_answer(
    request: Request, body: TextToImage, asked: GenerateRequest, result: GenerateResult, media_type: str
) -> Response:
    """The answer of this media type, as answer_type chose it."""
    output_format = body.output_format or FORMATS.get(media_type, DEFAULT_FORMAT)
    files = [_encode(body, asked, result, index, output_format) for index in range(len(result.pictures))]
    if media_type == JSON:
        return _json(request, body, result, files, MEDIA_TYPES[output_format])
    return Response(files[0], media_type=media_type, headers=evidence_headers(result))


def _encode(
    body: TextToImage, asked: GenerateRequest, result: GenerateResult, index: int, output_format: str
) -> bytes:
    parameters = {**_parameters(body, result), "seed": result.seeds[index]}
    text = {"parameters": infotext(asked, result, index), "triptych": json.dumps(parameters)}
    return encode_picture(result.pictures[index], output_format, text)


def _parameters(body: TextToImage, result: GenerateResult) -> dict[str, object]:
    """The request as it was carried out, less the pictures that came with it."""
    asked = body.model_dump(exclude=UNRELATED)
    return {
        **asked,
        "steps": result.steps,
        "guidance_scale": result.guidance_scale,
        "seed": result.seeds[0],
        "size": "x".join(map(str, result.size)),
        "model": result.model,
        "model_hash": result.model_hash,
    }


def _json(
    request: Request, body: TextToImage, result: GenerateResult, files: list[bytes], media_type: str
) -> Response:
    images = [
        GeneratedImage(
            data=base64.b64encode(file).decode(),
            media_type=media_type,
            seed=seed,
            width=picture.width,
            height=picture.height,
        )
        for file, seed, picture in zip(files, result.seeds, result.pictures, strict=True)
    ]
    answer = Generated(
        id=request.state.request_id,
        images=images,
        parameters=_parameters(body, result),
        stages=[CallEvidence(**vars(call)) for call in result.calls],
        warnings=result.warnings,
        seconds=result.seconds,
    )
    headers = {"Server-Timing": _server_timing(result.calls, result.seconds)}
    return Response(answer.model_dump_json(), media_type=JSON, headers=headers)


def evidence_headers(result: GenerateResult) -> dict[str, str]:
    """What each stage took, the first seed, and the warnings."""
    headers = work_headers(result.calls, result.seconds, result.warnings)
    seed = next(iter(result.seeds), None)
    if seed is not None:
        headers["X-Triptych-Seed"] = str(seed)
    return headers


def work_headers(calls: Sequence[StageCall], seconds: float, warnings: Sequence[str]) -> dict[str, str]:
    """What each stage took, and the warnings, as far as a header can hold their letters."""
    headers = {"Server-Timing": _server_timing(calls, seconds)}
    if warnings:
        headers["X-Triptych-Warning"] = header_text(" ".join(warnings))
    return headers


def _server_timing(calls: Sequence[StageCall], seconds: float) -> str:
    """An entry for each stage, durations in milliseconds, and one for the whole."""
    stages = [
        entry(
            call.stage,
            call.seconds,
            desc=call.replica,
            attempts=call.attempts,
            waiting=call.seconds_waiting,
            computing=call.seconds_computing,
            wire=call.seconds_on_the_wire,
            sent=call.bytes_sent,
            received=call.bytes_received,
            cache_hits=call.cache_hits,
            cache_misses=call.cache_misses,
        )
        for call in calls
    ]
    return ", ".join([*stages, entry("total", seconds)])
