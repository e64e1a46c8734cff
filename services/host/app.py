"""The stage's web application: the routes of a Hugging Face Inference Endpoint, and /ready and /info."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from .body import read_object
from .door import RETRY_AFTER, Door
from .errors import ERRORS, render
from .forms import JSON, Render, Work, asked_form, tensors_of
from .handler import load_handler
from .metrics import Metrics
from .observer import Observer
from .remote import remote_decode, remote_encode
from .settings import Settings
from .state import Readiness, State
from .worker import Call, Worker, to_json


class Stage:
    """Everything that one server owns; the routes find it at `request.app.state.stage`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.readiness = Readiness(settings.stage)
        self.worker = Worker(
            partial(load_handler, settings.handler_dir, self.readiness.report), self.readiness
        )
        self.door = Door(settings.max_queue + 1)
        self.metrics = Metrics(lambda: self.worker.running, lambda: self.worker.waiting)

    def require_warm(self) -> None:
        """Raises HTTPException 503, saying why, unless calls can be taken now."""
        state = self.readiness.state
        if state is State.WARM:
            return
        if state is State.FAILED:
            raise HTTPException(
                503, f"the {self.readiness.stage} stage failed to load: {self.readiness.error}"
            )
        if state is State.STOPPING:
            raise HTTPException(503, f"the {self.readiness.stage} stage is stopping")
        raise HTTPException(503, f"the {self.readiness.stage} stage is not ready: {state}", RETRY_AFTER)

    async def answer(self, request: Request, work: Work, render: Render) -> Response:
        """The answer to a request that is inside, once its turn has come."""
        call = self.worker.submit(work, render)
        try:
            response = await _answer_unless_gone(call, request)
        finally:
            self.worker.withdraw(call)
        response.headers["Server-Timing"] = call.timing()
        response.headers["X-Queue-Size"] = str(self.door.inside - 1)
        return response


REQUEST = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"type": "object", "required": ["inputs"], "properties": {"inputs": {}}},
            "example": {"inputs": "a red apple", "batch_size": 1},
        }
    },
}


def create_app(settings: Settings) -> FastAPI:
    """The application for one stage; its handler loads in the background once the server is up."""
    stage = Stage(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stage.worker.start()
        yield

    app = FastAPI(
        title=f"Triptych {settings.stage}",
        lifespan=lifespan,
        docs_url=None,  # its pages would ask another host for their scripts
        redoc_url=None,
        middleware=[Middleware(Observer, metrics=stage.metrics)],
        exception_handlers=dict.fromkeys(ERRORS, render),
    )
    for path, route in (
        ("/", health),
        ("/health", health),
        ("/ready", ready),
        ("/info", info),
        ("/metrics", metrics),
    ):
        app.add_api_route(path, route, response_class=Response)
    for path in ("/", "/predict"):
        app.add_api_route(path, predict, methods=["POST"], openapi_extra={"requestBody": REQUEST})
    for path, remote in (("/remote_decode", remote_decode), ("/remote_encode", remote_encode)):
        app.add_api_route(path, remote, methods=["POST"], response_class=Response)
    app.router.redirect_slashes = False
    app.state.stage = stage
    return app


async def health(request: Request) -> Response:
    """The process answers; that says nothing of the handler."""
    return PlainTextResponse("Ok")


async def ready(request: Request) -> Response:
    """200 once calls can be taken, else 503; the body says how far it is."""
    readiness = request.app.state.stage.readiness
    return _json(200 if readiness.state is State.WARM else 503, to_json(readiness.snapshot()))


async def info(request: Request) -> Response:
    """What the handler says of itself; 404 for a handler that says nothing."""
    stage: Stage = request.app.state.stage
    stage.require_warm()
    if stage.worker.info is None:
        raise HTTPException(404, "this stage's handler has no info()")
    return _json(200, to_json(stage.worker.info))


async def metrics(request: Request) -> Response:
    """The metrics in Prometheus' text format."""
    return Response(request.app.state.stage.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def predict(request: Request) -> Response:
    """The handler's answer to the request's object: JSON, or safetensors for those who ask for them."""
    stage: Stage = request.app.state.stage
    stage.require_warm()
    takes_tensors = stage.worker.takes_tensors
    form = asked_form(request.headers.get("accept", "")) if takes_tensors else None
    async with stage.door.enter():
        limits = stage.settings.max_body_bytes, stage.settings.body_timeout
        data = await read_object(request, *limits, takes_tensors)
        if form is not None:
            return await stage.answer(request, partial(tensors_of, data=data), form.render)
        return await stage.answer(
            request, lambda handler: handler(data), lambda value: _json(200, to_json(value))
        )


async def _answer_unless_gone(call: Call, request: Request) -> Response:
    """The call's answer; ClientDisconnect if nobody is there any more to receive it."""
    answer: asyncio.Future[Any] = asyncio.wrap_future(call.answer)
    gone: asyncio.Future[Any] = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return cast(Response, answer.result())
    finally:
        answer.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(status: int, body: bytes) -> Response:
    return Response(body, status, media_type=JSON)
