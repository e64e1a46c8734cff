"""The server in a fake endpoint: it serves one bundle as huggingface-inference-toolkit 0.5.6 does.

`python -I server.py FOLDER PORT`: nothing of this repository is on its path, and it imports nothing of it.
Written from what that server takes and answers: media types looked up exactly, one call at a time, every
exception a 400.
"""

import asyncio
import base64
import importlib.util
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

Handler = Callable[[dict[str, Any]], Any]

JSON_TYPES = ("application/json", "application/json; charset=UTF-8")
IMAGE_TYPES = tuple(f"image/{name}" for name in ("png", "jpeg", "jpg", "tiff", "bmp", "gif", "webp"))


def load_handler(folder: str) -> Handler:
    """The EndpointHandler of `folder`/handler.py: loaded by its location, the folder first on the path."""
    spec = importlib.util.spec_from_file_location("handler.EndpointHandler", Path(folder) / "handler.py")
    assert spec is not None and spec.loader is not None
    sys.path.insert(0, folder)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    handler: Handler = module.EndpointHandler(folder)
    return handler


def read_body(content_type: str | None, body: bytes) -> dict[str, Any]:
    """What the handler is called with; ValueError for a media type that is not looked up exactly."""
    if content_type in IMAGE_TYPES:
        return {"inputs": Image.open(io.BytesIO(body)).convert("RGB")}
    if content_type not in JSON_TYPES:
        raise ValueError(f'Content type "{content_type}" is not one of {", ".join(JSON_TYPES + IMAGE_TYPES)}')
    data: dict[str, Any] = json.loads(body, parse_constant=_refuse)
    if "inputs" not in data:
        raise ValueError(f"The body must have a key inputs; got {json.dumps(data)}")
    return data


def write_answer(value: Any, accept: str) -> bytes:
    """The answer in the media type asked for, again looked up exactly."""
    if accept in IMAGE_TYPES and isinstance(value, Image.Image):
        return _encoded(value, accept.removeprefix("image/").upper())
    if accept in IMAGE_TYPES:
        raise ValueError(f"Only a picture can be answered as {accept}; got {type(value)}")
    if accept not in JSON_TYPES:
        raise ValueError(f'Accept type "{accept}" is not one of {", ".join(JSON_TYPES + IMAGE_TYPES)}')
    return _compact(value)


def query_value(text: str) -> int | bool | str:
    """A query parameter as the handler sees it."""
    if text.isnumeric():
        return int(text)
    return {"true": True, "false": False}.get(text, text)


def _compact(value: Any) -> bytes:
    """As JSON, in which a picture is a PNG in base64."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_as_text).encode()


def _as_text(value: Any) -> str:
    if not isinstance(value, Image.Image):
        raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")
    return base64.b64encode(_encoded(value, "PNG")).decode()


def _encoded(picture: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


class Toolkit:
    """The routes around one handler, which is called once at a time."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0

    async def health(self, request: Request) -> Response:
        return PlainTextResponse("Ok")

    async def metrics(self, request: Request) -> Response:
        running = int(self._turn.locked())
        return PlainTextResponse(f"inf_batch_current_size {running}\ninf_queue_size {self._waiting}\n")

    async def predict(self, request: Request) -> Response:
        try:
            data = read_body(request.headers.get("content-type"), await request.body())
            if request.query_params and "parameters" not in data:
                data["parameters"] = {name: query_value(text) for name, text in request.query_params.items()}
            value = await self._call(data)
            accept = request.headers.get("accept", "*/*")
            accept = JSON_TYPES[0] if accept == "*/*" else accept
            return Response(write_answer(value, accept), media_type=accept)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            return Response(_compact({"error": str(error)}), status_code=400, media_type=JSON_TYPES[0])

    async def _call(self, data: dict[str, Any]) -> Any:
        self._waiting += 1
        async with self._turn:
            self._waiting -= 1
            return await run_in_threadpool(self._handler, data)

    def routes(self) -> list[Route]:
        return [
            Route("/", self.health, methods=["GET"]),
            Route("/health", self.health, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
            Route("/", self.predict, methods=["POST"]),
            Route("/predict", self.predict, methods=["POST"]),
        ]


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    application = Starlette(routes=Toolkit(load_handler(folder)).routes())
    uvicorn.run(application, host="127.0.0.1", port=int(port), log_level="warning")
