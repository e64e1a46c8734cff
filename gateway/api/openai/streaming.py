"""A picture while it forms, as the events that OpenAI's clients read."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from fastapi.sse import format_sse_event

from ...requests import GenerateResult
from ..narration import Happening
from ..rendering import render_failure, stopping
from .answers import enlarge, files, fit, traits
from .schemas import Generation
from .translation import Order

USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}
"""Nothing is counted in tokens here, and clients look for the numbers."""


def preview_every(partial_images: int, steps: int) -> int:
    """Steps from one preview to the next, so that as many fit in before the picture itself."""
    return max(1, steps // (partial_images + 1)) if partial_images else 0


@dataclass
class Storyteller:
    """Tells of one request at a path; `kind` is image_generation or image_edit. `size` is the answer's, if
    known."""

    kind: str
    body: Generation
    order: Order
    size: tuple[int, int] | None
    request_id: str
    path: str
    shown: int = 0

    async def tell(self, first: Happening, others: AsyncGenerator[Happening, None]) -> AsyncIterator[bytes]:
        """The events, of the first thing that happened and of the others; an error is the last of them."""
        try:
            for event in await self._events(first):
                yield event
            async for happening in others:
                for event in await self._events(happening):
                    yield event
        except Exception as error:
            yield _failure(render_failure(error, self.request_id, self.path))

    def stopping(self) -> bytes:
        """The last event where the server does not wait for the work."""
        return _failure(stopping(self.request_id, self.path))

    async def _events(self, happening: Happening) -> list[bytes]:
        if isinstance(happening, GenerateResult):
            return await asyncio.to_thread(self._completed, happening)
        if happening is None:
            return [format_sse_event(comment="")]
        if self.shown == (self.body.partial_images or 0):
            return []
        self.shown += 1
        image = await asyncio.to_thread(enlarge, happening.previews[0], self.size, self.body)
        return [self._event("partial_image", image, self.size, partial_image_index=self.shown - 1)]

    def _completed(self, result: GenerateResult) -> list[bytes]:
        fitted = fit(self.order, result)
        return [
            self._event("completed", file, picture.size, usage=USAGE, seed=seed, warnings=fitted.warnings)
            for file, picture, seed in zip(
                files(self.body, self.order, fitted), fitted.pictures, fitted.seeds, strict=True
            )
        ]

    def _event(self, name: str, file: bytes, size: tuple[int, int] | None, **more: Any) -> bytes:
        kind = f"{self.kind}.{name}"
        data = {
            "type": kind,
            "b64_json": base64.b64encode(file).decode(),
            "created_at": int(time.time()),
            **traits(self.body, size),
            **more,
        }
        return format_sse_event(event=kind, data_str=json.dumps(data))


def _failure(answer: Response) -> bytes:
    return format_sse_event(event="error", data_str=bytes(answer.body).decode())
