"""Any size and number, of a model that makes some sizes and so many at a time."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gateway.errors import InvalidRequest
from gateway.fitting import check_room, generate_batches, generate_fitted, join
from gateway.images import Picture
from gateway.info import Sizes
from gateway.offer import Offer
from gateway.progress import Progress, Watcher
from gateway.requests import GenerateRequest, GenerateResult, Inpainting
from tests.unit.gateway.pictures import noise

ASKED = GenerateRequest("a red apple")
MODEL = (64, 64)


class Recorded:
    """Stands where the pipeline does: remembers what it was asked for, and makes noise of the size."""

    def __init__(self, sizes: Sizes | None = None, images: int = 4, obeys_seeds: bool = True) -> None:
        self.requests: list[GenerateRequest] = []
        self._offer = Offer(MODEL, sizes, images, 20)
        self._obeys_seeds = obeys_seeds

    async def offer(self, request: GenerateRequest) -> Offer:
        return self._offer

    async def generate(self, request: GenerateRequest, watcher: Watcher | None = None) -> GenerateResult:
        self.requests.append(request)
        if watcher:
            watcher.notice(Progress("diffusion", "running", 5, 20))
        size = request.inpainting.picture.size if request.inpainting else request.size or MODEL
        first = 1000 if request.seed is None else request.seed
        seeds: list[int | None] = [first + index for index in range(request.num_images)]
        return GenerateResult(
            pictures=[Picture(noise(*size))] * request.num_images,
            seeds=seeds if self._obeys_seeds else [None] * request.num_images,
            steps=20,
            guidance_scale=4,
            size=size,
            model=None,
            model_hash=None,
            calls=[],
            seconds=1,
            warnings=["the same each time"],
        )


async def fitted(pipeline: Any, watcher: Watcher | None = None, **asked: Any) -> GenerateResult:
    return await generate_fitted(pipeline, replace(ASKED, **asked), watcher)


@pytest.fixture
def run() -> Iterator[Any]:
    with asyncio.Runner() as runner:
        yield runner.run


def test_a_size_that_the_model_makes_is_left_as_it_is(run: Any) -> None:
    result = run(fitted(Recorded(), size=MODEL))
    assert result.pictures[0].size == MODEL
    assert result.warnings == ["the same each time"]


def test_another_size_is_scaled_from_the_models_own_and_said(run: Any) -> None:
    pipeline = Recorded()
    result = run(fitted(pipeline, size=(300, 200)))
    assert pipeline.requests[0].size is None
    assert result.pictures[0].size == (300, 200)
    assert result.warnings[-1] == "The picture was made at 64x64 and scaled to 300x200."


def test_of_several_sizes_the_nearest_is_made(run: Any) -> None:
    pipeline = Recorded(Sizes(multiple=64, min=256, max=1024))
    assert run(fitted(pipeline, size=(1536, 1024))).pictures[0].size == (1536, 1024)
    assert run(fitted(pipeline, size=(512, 768))).warnings == ["the same each time"]
    assert [request.size for request in pipeline.requests] == [(1024, 704), (512, 768)]


def test_a_picture_that_no_size_is_asked_for_is_as_the_model_makes_it(run: Any) -> None:
    assert run(fitted(Recorded())).pictures[0].size == MODEL


def test_more_than_fit_into_a_batch_are_made_in_several(run: Any) -> None:
    pipeline = Recorded()
    result = run(fitted(pipeline, num_images=10, seed=40))
    assert [(request.num_images, request.seed) for request in pipeline.requests] == [
        (4, 40),
        (4, 44),
        (2, 48),
    ]
    assert result.seeds == list(range(40, 50))
    assert len(result.pictures) == 10
    assert result.warnings == ["the same each time"]
    assert result.seconds == 3


def test_later_batches_go_on_from_a_seed_that_was_drawn(run: Any) -> None:
    assert run(fitted(Recorded(), num_images=9)).seeds == list(range(1000, 1009))


def test_where_seeds_are_not_obeyed_none_is_made_up(run: Any) -> None:
    pipeline = Recorded(obeys_seeds=False)
    assert run(fitted(pipeline, num_images=5)).seeds == [None] * 5
    assert [request.seed for request in pipeline.requests] == [None, None]


def test_a_picture_that_is_inpainted_keeps_its_size(run: Any) -> None:
    inpainting = Inpainting(Picture(noise(90, 70)), np.ones((70, 90), bool))
    assert run(fitted(Recorded(), inpainting=inpainting, size=(512, 512))).pictures[0].size == (90, 70)


def test_an_image_to_begin_with_comes_in_the_models_size_and_everything_stays_in_its_place(run: Any) -> None:
    pipeline = Recorded()
    run(fitted(pipeline, image=Picture(noise(100, 50)), size=(100, 50)))
    assert pipeline.requests[0].image is not None
    assert pipeline.requests[0].image.size == MODEL


def test_who_watches_several_batches_is_told_of_the_steps_of_all(run: Any) -> None:
    told: list[Progress] = []
    run(fitted(Recorded(), Watcher(told.append), num_images=8))
    assert [(progress.step, progress.steps) for progress in told] == [(5, 40), (25, 40)]


def test_each_batch_is_there_as_soon_as_it_is_done(run: Any) -> None:
    pipeline = Recorded()

    async def first() -> int:
        async for _ in generate_batches(pipeline, replace(ASKED, num_images=8)):  # type: ignore[arg-type]
            return len(pipeline.requests)
        return 0

    assert run(first()) == 1


def test_results_are_joined_in_their_order(run: Any) -> None:
    one, other = (run(fitted(Recorded(), seed=seed)) for seed in (1, 2))
    assert join([one, other]).seeds == [1, 2]


def test_pictures_of_too_many_pixels_together_are_refused() -> None:
    check_room((100, 100), 10, 100_000)
    check_room(None, 10, 1)
    with pytest.raises(InvalidRequest, match="10 of it have at most 99999 pixels; got 100x100") as refused:
        check_room((100, 100), 10, 99_999)
    assert refused.value.field == "size"
