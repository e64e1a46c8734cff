"""Stages that begin with a picture, and pipelines that tell how far they are."""

import asyncio
import threading
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from gateway.pipeline import Pipeline
from gateway.progress import Progress, Watcher
from gateway.requests import GenerateRequest, GenerateResult
from tests.unit.gateway.conftest import Fakes
from tests.unit.gateway.pictures import file_of

PREVIEW = np.full((8, 8, 3), 200, np.uint8)
"""What a picture looks like half way."""
SECONDS_LEFT = 1.5


@pytest.fixture
def able(fakes: Fakes, fresh_gateway: httpx.Client) -> httpx.Client:
    """A client of a gateway whose stages announce what image to image and soft masks need."""
    fakes["decoder"].extras = ["task"]
    fakes["diffusion"].extras = ["strength", "guidance_interval"]
    fakes["inpainting"].extras = ["strength", "soft_mask", "guidance_interval"]
    return fresh_gateway


@pytest.fixture
def half_way(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Every request stops half way until this is set; its watcher is told, and shown what it wants to see."""
    go_on = threading.Event()
    generate = Pipeline.generate

    async def told(
        self: Pipeline, request: GenerateRequest, watcher: Watcher | None = None
    ) -> GenerateResult:
        result = await generate(self, request, watcher)
        if watcher:
            every = watcher.preview_every
            for step in range(1, 11):
                previews = (file_of(PREVIEW),) * request.num_images if every and step % every == 0 else ()
                watcher.notice(Progress("diffusion", "running", step, 20, SECONDS_LEFT, previews=previews))
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        return result

    monkeypatch.setattr(Pipeline, "generate", told)
    yield go_on
    go_on.set()
