"""A fake denoising stage that streams its steps, and the reading of what a gateway streams."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from httpx_sse import EventSource, connect_sse
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.unit.gateway.fakes import LATENT, FakeStage
from triptych.wire import FIELDS, MEDIA_TYPE, Tensors, pack, unpack

HOST_EXTRAS = ("events", "job_id", "on_disconnect")
STREAM = {"Accept": "text/event-stream"}
PNG = b"\x89PNG of a step"

Event = tuple[str, dict[str, Any]]


def event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


@dataclass
class StreamingStage(FakeStage):
    """Its steps take `pause` seconds each. After so many steps it breaks off (`dies_at`), says nothing more
    (`hangs_at`) or stops with a status (`fails_at`, `status`), once; `refuses` is what it says of a state to
    go on from. `chatter` comes before the steps, and nothing after them if it is `mute`. It says that it
    computed `handler_seconds`. Kept: the steps that it did, and the ports of the gateway's ends of the
    connections.
    """

    pause: float = 0
    dies_at: int = 0
    hangs_at: int = 0
    fails_at: int = 0
    status: int = 503
    refuses: str = ""
    chatter: str = ""
    mute: bool = False
    handler_seconds: float = 0.02
    preview_bytes: int = 0
    ports: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def info(self) -> dict[str, Any]:
        card = super().info()
        wire = {"content_types": ["application/json", MEDIA_TYPE], "dtypes": ["float32", "float16"]}
        return card | {"wire": wire, "extras": [*card["extras"], *HOST_EXTRAS, "client", "resume"]}

    def read(self, body: bytes) -> dict[str, Any]:
        if body.startswith(b"{"):
            return super().read(body)
        tensors, metadata = unpack("body", body)
        return {**json.loads(metadata[FIELDS]), "inputs": list(tensors)}

    def respond(self, request: Request, data: dict[str, Any]) -> Response:
        assert request.client is not None
        self.ports.append(request.client.port)
        accept = request.headers["accept"]
        if self.refuses and "resume" in data:
            return JSONResponse({"error": self.refuses}, 422)
        if accept.startswith("text/event-stream"):
            return StreamingResponse(self._stream(data), media_type="text/event-stream", headers=self.header)
        if accept.startswith(MEDIA_TYPE):
            return Response(self._latent(data), media_type=MEDIA_TYPE, headers=self.header)
        return super().respond(request, data)

    def _latent(self, data: dict[str, Any]) -> bytes:
        return pack(Tensors(latent=np.zeros((data["batch_size"], *LATENT), np.float32)), {})

    async def _stream(self, data: dict[str, Any]) -> AsyncIterator[str]:
        steps = data["num_steps"]
        first = int(base64.b64decode(data["resume"])) if "resume" in data else 0
        yield event(
            "progress", {"state": "queued", "ahead": 1, "step": 0, "steps": steps, "seconds_left": None}
        )
        yield self.chatter
        try:
            for step in range(first + 1, steps + 1):
                await asyncio.sleep(self.pause)
                self.steps.append(step)
                yield self._step(data, step, steps)
                if step == self.dies_at:
                    self.dies_at = 0
                    raise ConnectionResetError
                if step == self.hangs_at:
                    self.hangs_at = 0
                    await asyncio.sleep(60)
                if step == self.fails_at:
                    self.fails_at = 0
                    yield event("error", {"status": self.status, "error": "the server stops"})
                    return
        except (asyncio.CancelledError, GeneratorExit):
            self.left += 1
            raise
        if self.mute:
            return
        tensors = base64.b64encode(self._latent(data)).decode()
        yield event(
            "answer",
            {
                "tensors": tensors,
                "timing": {
                    "queue": 0.01,
                    "handler": self.handler_seconds,
                    "cache_hits": 1,
                    "cache_misses": 2,
                },
            },
        )

    def _step(self, data: dict[str, Any], step: int, steps: int) -> str:
        told = {"state": "running", "ahead": 0, "step": step, "steps": steps, "seconds_left": 0.5}
        said = event("progress", told)
        file = base64.b64encode(PNG + bytes(self.preview_bytes)).decode()
        if data.get("preview_every") and step % data["preview_every"] == 0:
            said += event("preview", {"step": step, "images": [file] * data["batch_size"]})
        if data.get("state_every") and step % data["state_every"] == 0:
            said += event("state", {"step": step, "state": base64.b64encode(str(step).encode()).decode()})
        return said


def streamed(gateway: httpx.Client, path: str = "/v1/txt2img", **request: Any) -> Iterator[Event]:
    """The events of the gateway's answer, as they come."""
    with connect_sse(gateway, "POST", path, json={"prompt": "a red apple", **request}) as source:
        yield from events_of(source)


def events_of(source: EventSource) -> Iterator[Event]:
    assert source.response.status_code == 200
    for one in source.iter_sse():
        yield one.event, json.loads(one.data)
