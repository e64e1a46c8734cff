"""Stages that answer by the stage contract without a model, on real sockets."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

CONTEXT, LATENT, IMAGE, MASK = (77, 8), (8, 8, 4), (64, 64, 3), (64, 64, 1)
CONTEXTS = {"context": CONTEXT, "unconditional_context": CONTEXT}
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "text_encoder": {**CONTEXTS},
    "diffusion": {**CONTEXTS, "latent": LATENT},
    "inpainting": {**CONTEXTS, "latent": LATENT, "image": IMAGE, "mask": MASK},
    "decoder": {"latent": LATENT, "image": IMAGE},
    "all_in_one": {"image": IMAGE},
}
EXTRAS = {
    "text_encoder": ["negative_prompt"],
    "diffusion": ["seed", "sampler", "schedule"],
    "inpainting": ["seed", "sampler", "schedule"],
    "decoder": [],
    "all_in_one": [
        *("negative_prompt", "seed", "sampler", "schedule"),
        *("num_steps", "unconditional_guidance_scale"),
    ],
}
HASHES = dict(
    zip(SHAPES, ("1111111111", "0123456789", "3333333333", "4444444444", "5555555555"), strict=True)
)
"""Of each stage's part of the model."""
PAINTED = 77
"""Every channel of every pixel that a fake decoder makes."""


def base64_of(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()


@dataclass
class FakeStage:
    """One stage's answers. `plain` makes it a Hugging Face Endpoint's server: no /info, no /ready.

    `extras` are announced beside those that it always has. `responses` replaces the answer to a path, "/"
    being the contract's POST; `proxy` replaces every answer while it gives one; delays are in seconds;
    `header` comes with the contract's answers. Kept for the test to look at: the contract's requests, every
    path and its headers, how many clients left early.
    """

    name: str
    plain: bool = False
    state: str = "warm"
    progress: float | None = None
    delay: float = 0
    info_delay: float = 0
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    sizes: dict[str, int] | None = None
    extras: list[str] = field(default_factory=list)
    announces_as: str = ""
    responses: dict[str, Callable[[], Response]] = field(default_factory=dict)
    proxy: Callable[[], Response | None] = lambda: None
    header: dict[str, str] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    left: int = 0

    def reset(self) -> None:
        """As it was when it was made."""
        vars(self).update(vars(FakeStage(self.name)))

    def app(self) -> Starlette:
        routes = [Route(path, self._get) for path in ("/info", "/ready", "/health")]
        return Starlette(routes=[*routes, Route("/", self._post, methods=["POST"])])

    def info(self) -> dict[str, Any]:
        denoises = self.name in ("diffusion", "inpainting", "all_in_one")
        card = {
            "stage": self.announces_as or self.name,
            "model": {"variant": "tiny", "name": "Triptych tiny", "hash": HASHES[self.name]},
            "shapes": {**SHAPES[self.name], **self.shapes},
            "limits": {"batch_size": 16, "prompt_tokens": 77},
            "extras": [*EXTRAS[self.name], *self.extras],
            "dtype": "float32",
            "versions": {"triptych": "0.1.0", "backend": "openvino"},
        }
        if self.sizes:
            card["sizes"] = self.sizes
        more: dict[str, Any] = {
            "limits": {"batch_size": 16, "num_steps": 250},
            "defaults": {"num_steps": 20, "unconditional_guidance_scale": 4.0},
            "samplers": ["ddim", "dpmpp_2m", "euler_ancestral"],
            "schedules": ["keras-cv", "range"],
        }
        if self.name == "inpainting":
            more["resampling"] = ["ddim", "euler_ancestral"]
        return card | more if denoises else card

    def answer(self, data: dict[str, Any]) -> Any:
        """What the stage contract says, of the size that is asked for if the stage has several."""
        batch = data["batch_size"]
        height, width, _ = self.shapes.get("image", IMAGE)
        if self.sizes:
            height, width = data.get("height", height), data.get("width", width)
        if self.name == "text_encoder":
            context = base64_of(np.zeros((batch, *CONTEXT), np.float32))
            return {"context_b64str": context, "unconditional_context_b64str": context}
        if data.get("task") == "encode":
            return base64_of(np.ones((batch, height // 8, width // 8, 4), np.float32))
        if self.name in ("diffusion", "inpainting"):
            return base64_of(np.zeros((batch, height // 8, width // 8, 4), np.float32))
        return base64_of(np.full((batch, height, width, 3), PAINTED, np.uint8))

    async def _get(self, request: Request) -> Response:
        path = self._note(request)
        if instead := self.proxy():
            return instead
        if path in self.responses:
            return self.responses[path]()
        if path == "/health":
            return PlainTextResponse("Ok")
        if self.plain:
            return PlainTextResponse("Not Found", 404)
        if path == "/info":
            await asyncio.sleep(self.info_delay)
            return JSONResponse(self.info())
        body = {"stage": self.announces_as or self.name, "state": self.state, "progress": self.progress}
        return JSONResponse({**body, "error": None, "seconds": 1.0}, 200 if self.state == "warm" else 503)

    def read(self, body: bytes) -> dict[str, Any]:
        """The contract's request."""
        data: dict[str, Any] = json.loads(body)
        return data

    async def _post(self, request: Request) -> Response:
        path = self._note(request)
        data = self.read(await request.body())
        if instead := self.proxy():
            return instead
        self.requests.append(data)
        await self._wait(request)
        if path in self.responses:
            return self.responses[path]()
        return self.respond(request, data)

    def respond(self, request: Request, data: dict[str, Any]) -> Response:
        return JSONResponse(self.answer(data), headers=self.header)

    async def _wait(self, request: Request) -> None:
        """Takes `delay` seconds, or less if the client leaves."""
        try:
            async with asyncio.timeout(self.delay):
                self.left += (await request.receive())["type"] == "http.disconnect"
        except TimeoutError:
            return

    def _note(self, request: Request) -> str:
        self.headers.append(dict(request.headers))
        self.paths.append(request.url.path)
        return request.url.path


def platform_says(status: int, code: str, text: str) -> Response:
    """An error of Hugging Face's proxy."""
    return JSONResponse({"error": text, "code": code}, status)


def cold() -> Response:
    """Of an endpoint that is scaled to zero, or starting."""
    return platform_says(503, "SERVICE_UNAVAILABLE", "503 Service Unavailable")


def paused() -> Response:
    said = "Bad Request: The endpoint is paused, ask a maintainer to restart it"
    return platform_says(400, "BAD_REQUEST", said)


def unauthorized() -> Response:
    return platform_says(401, "UNAUTHORIZED", "401 Unauthorized")


def wait_until(happened: Callable[[], bool]) -> None:
    """Returns when it has happened, and fails when it does not within 20 seconds."""
    until = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def ask_and_leave(gateway: httpx.Client, path: str, body: dict[str, Any], stage: FakeStage) -> None:
    """A request of a client that hangs up while the stage is at work on it."""
    connection = HTTPConnection(gateway.base_url.host, gateway.base_url.port)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    wait_until(lambda: bool(stage.requests))
    connection.close()


@contextmanager
def serving(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The URL of the application, served from a thread until the end of the block."""
    config = uvicorn.Config(app, host=host, port=port, log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server stopped while it was starting"
            thread.join(0.005)
        yield f"http://{host}:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
