"""Pictures of any size and number, from a model that makes some sizes, and so many at a time.

For clients that ask for what their users are used to: where the model lacks the size, its nearest one is
scaled to it, and more pictures than fit into a batch are made in several. The native dialect refuses both.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from .errors import InvalidRequest
from .images import Picture, cover, stretch
from .info import Size
from .pipeline import Pipeline
from .progress import Progress, Watcher
from .requests import GenerateRequest, GenerateResult


async def generate_fitted(
    pipeline: Pipeline, request: GenerateRequest, watcher: Watcher | None = None
) -> GenerateResult:
    """As `Pipeline.generate`, of the size asked for. A picture that is inpainted keeps its own."""
    return join([batch async for batch in generate_batches(pipeline, request, watcher)])


async def generate_batches(
    pipeline: Pipeline, request: GenerateRequest, watcher: Watcher | None = None
) -> AsyncIterator[GenerateResult]:
    """As generate_fitted, each batch as it is done."""
    offer = await pipeline.offer(request)
    size = offer.nearest(request.size) if request.size else None
    image = await _fit_image(request, size or offer.own)
    parts = _parts(request.num_images, offer.images)
    seed, done = request.seed, 0
    for number, part in enumerate(parts):
        asked = replace(request, size=size, image=image, num_images=part, seed=seed)
        result = await pipeline.generate(asked, watcher and _share(watcher, number, len(parts)))
        yield await asyncio.to_thread(_fit_result, result, request)
        done += part
        first = result.seeds[0] if seed is None else seed
        seed = None if first is None else first + part


def check_room(size: Size | None, number: int, most: int) -> None:
    """InvalidRequest where the pictures have more than so many pixels together."""
    width, height = size or (0, 0)
    if width * height * number > most:
        raise InvalidRequest(
            f"size must be such that {number} of it have at most {most} pixels; got {width}x{height}. "
            "Ask for fewer or smaller ones, or raise MAX_IMAGE_PIXELS.",
            field="size",
        )


def join(batches: Sequence[GenerateResult]) -> GenerateResult:
    """One result of all batches."""
    return replace(
        batches[0],
        pictures=[picture for batch in batches for picture in batch.pictures],
        seeds=[seed for batch in batches for seed in batch.seeds],
        calls=[call for batch in batches for call in batch.calls],
        seconds=round(sum(batch.seconds for batch in batches), 4),
        warnings=list(dict.fromkeys(warning for batch in batches for warning in batch.warnings)),
    )


def scale(
    result: GenerateResult, size: Size, fit: Callable[[Picture, Size], Picture] = cover
) -> GenerateResult:
    """The pictures of this size, with a warning where they were of another."""
    made = result.pictures[0].size if result.pictures else size
    if made == size:
        return result
    said = f"The picture was made at {made[0]}x{made[1]} and scaled to {size[0]}x{size[1]}."
    pictures = [fit(picture, size) for picture in result.pictures]
    return replace(result, pictures=pictures, warnings=[*result.warnings, said])


def _fit_result(result: GenerateResult, request: GenerateRequest) -> GenerateResult:
    """What began with an image is stretched as that was: everything stays in its place."""
    if request.size is None or request.inpainting:
        return result
    return scale(result, request.size, stretch if request.image else cover)


async def _fit_image(request: GenerateRequest, size: Size | None) -> Picture | None:
    """The image to begin with, of the size that the model makes."""
    if request.image is None or size is None:
        return request.image
    return await asyncio.to_thread(stretch, request.image, size)


def _parts(number: int, most: int) -> list[int]:
    return [most] * (number // most) + [number % most] * (number % most > 0)


def _share(watcher: Watcher, number: int, count: int) -> Watcher:
    """For one of several batches: steps are told as those of all of them."""

    def notice(progress: Progress) -> None:
        step, steps = progress.step + number * progress.steps, progress.steps * count
        watcher.notice(replace(progress, step=step, steps=steps))

    return replace(watcher, notice=notice)
