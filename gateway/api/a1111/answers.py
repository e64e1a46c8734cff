"""Results as AUTOMATIC1111's clients read them."""

import base64
import json
import time
from dataclasses import replace
from typing import Any

from fastapi.responses import JSONResponse

from ... import __version__
from ...fitting import join, scale
from ...images import Picture, decode_picture, encode_picture, stretch
from ...infotext import DEFAULT_SAMPLER, SAMPLERS, infotext
from ...requests import GenerateRequest, GenerateResult
from ..answers import evidence_headers
from ..samplers import label_of
from .activity import Activity
from .canvas import Canvas
from .schemas import RANDOM_SEED, Drawn, Img2Img, Txt2Img

MAX_PREVIEW_PIXELS = 4096 * 4096
INTERRUPTED = "It was interrupted: what was not done is shown as it was."


def finish(
    body: Txt2Img, request: GenerateRequest, activity: Activity, canvas: Canvas | None, warnings: list[str]
) -> GenerateResult:
    """All that there is of a request, as large as it was asked for, in the picture that it belongs to."""
    results = [*activity.done, *([_unfinished(request, activity)] if activity.interrupted else [])]
    if canvas is None:
        results = [scale(result, body.final_size) for result in results]
    result = join(results)
    if canvas:
        result = replace(result, pictures=[canvas.finish(picture) for picture in result.pictures])
    return replace(result, warnings=[*warnings, *result.warnings])


def _unfinished(request: GenerateRequest, activity: Activity) -> GenerateResult:
    """The pictures that were being made, as far as they can be seen."""
    done = sum(len(batch.pictures) for batch in activity.done)
    pictures = [enlarge(preview, activity.size) for preview in activity.previews]
    seed = request.seed if request.seed is None else request.seed + done
    return GenerateResult(
        pictures=pictures,
        seeds=[None if seed is None else seed + index for index in range(len(pictures))],
        steps=request.steps or 0,
        guidance_scale=request.guidance_scale or 0,
        size=activity.size,
        model=request.model,
        model_hash=None,
        calls=[],
        seconds=round(time.monotonic() - activity.started, 4),
        warnings=[INTERRUPTED],
    )


def enlarge(preview: bytes, size: tuple[int, int]) -> Picture:
    return stretch(decode_picture("preview", preview, MAX_PREVIEW_PIXELS), size)


def as_text(picture: Picture, text: str = "") -> str:
    """Base64 of a PNG file, with its parameters."""
    return base64.b64encode(encode_picture(picture, "png", {"parameters": text} if text else {})).decode()


def answer(body: Txt2Img, request: GenerateRequest, result: GenerateResult) -> JSONResponse:
    """`request` is as it was carried out, `body` as it came."""
    texts = [infotext(request, result, index) for index in range(len(result.pictures))]
    images = [as_text(picture, text) for picture, text in zip(result.pictures, texts, strict=True)]
    echo = body.model_dump(exclude={"init_images", "mask"})
    info = json.dumps(_info(body, request, result, texts))
    drawn = Drawn(images=images if body.send_images else [], parameters=echo, info=info)
    return JSONResponse(drawn.model_dump(), headers=evidence_headers(result))


def _info(
    body: Txt2Img, request: GenerateRequest, result: GenerateResult, texts: list[str]
) -> dict[str, Any]:
    """How the pictures were made, with the values that were really used."""
    number = len(result.pictures)
    seeds = [RANDOM_SEED if seed is None else seed for seed in result.seeds] or [body.seed]
    width, height = result.pictures[0].size if result.pictures else body.final_size
    return {
        "prompt": request.prompt,
        "all_prompts": [request.prompt] * number,
        "negative_prompt": request.negative_prompt,
        "all_negative_prompts": [request.negative_prompt] * number,
        "seed": seeds[0],
        "all_seeds": seeds,
        "subseed": RANDOM_SEED,
        "all_subseeds": [RANDOM_SEED] * number,
        "subseed_strength": 0,
        "width": width,
        "height": height,
        "sampler_name": SAMPLERS[request.sampler or DEFAULT_SAMPLER],
        "cfg_scale": result.guidance_scale,
        "steps": result.steps,
        "batch_size": body.batch_size,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": result.model,
        "sd_model_hash": result.model_hash,
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": body.denoising_strength if isinstance(body, Img2Img) else None,
        "extra_generation_params": {"Schedule type": label_of(request.schedule)},
        "index_of_first_image": 0,
        "infotexts": texts,
        "styles": [],
        "job_timestamp": time.strftime("%Y%m%d%H%M%S"),
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": f"Triptych {__version__}",
        "warnings": result.warnings,
    }
