"""The stage's web application: the routes of a Hugging Face Inference Endpoint; /ready, /info and /jobs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from triptych.tracing import Tracing
from triptych.watchdog import watched

from .body import read_object
from .errors import ERRORS, render
from .facades import Stages, stage_of
from .forms import asked_form, json_response, to_json
from .gauges import add_gauges
from .guard import Guard
from .handler import gives_tensors, starts_tickets
from .metrics import Metrics
from .observer import Observer
from .remote import remote_decode, remote_encode
from .settings import Settings
from .stage import Stage
from .state import State
from .tickets import answer_by_ticket
from .work import Work

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
    """The application for one stage; its handlers load in the background once the server is up."""
    metrics = Metrics()
    tracing = Tracing(f"triptych-{settings.stage}", settings.traces_url)
    stages = Stages(settings, metrics, Work(metrics, tracing.tracer))
    add_gauges(metrics, stages)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stages.start()
        async with watched(), tracing.flushed():
            yield

    guard = Middleware(Guard, secret=settings.secret, metrics_open=settings.metrics_open)
    app = FastAPI(
        title=f"Triptych {settings.stage}",
        lifespan=lifespan,
        docs_url=None,  # its pages would ask another host for their scripts
        redoc_url=None,
        middleware=[
            Middleware(Observer, metrics=metrics, prefixes=[stage.prefix for stage in stages.facades]),
            *([guard] if settings.secret else []),
        ],
        exception_handlers=dict.fromkeys(ERRORS, render),
        telemetry=tracing.of_fastapi,
    )
    for stage in stages:
        _add_routes(app, stage)
    app.router.redirect_slashes = False
    app.state.stages = stages
    app.state.metrics = metrics
    return app


def _add_routes(app: FastAPI, stage: Stage) -> None:
    root = stage.prefix or "/"
    for path, route in (
        (root, health),
        (f"{stage.prefix}/health", health),
        (f"{stage.prefix}/ready", ready),
        (f"{stage.prefix}/info", info),
        (f"{stage.prefix}/metrics", metrics),
    ):
        app.add_api_route(path, route, response_class=Response)
    for path in (root, f"{stage.prefix}/predict"):
        app.add_api_route(path, predict, methods=["POST"], openapi_extra={"requestBody": REQUEST})
    for path, remote in (("/remote_decode", remote_decode), ("/remote_encode", remote_encode)):
        app.add_api_route(f"{stage.prefix}{path}", remote, methods=["POST"], response_class=Response)
    app.add_api_route(f"{stage.prefix}/jobs/{{job_id}}", cancel, methods=["DELETE"], response_class=Response)


async def health(request: Request) -> Response:
    """The process answers; that says nothing of the handler."""
    return PlainTextResponse("Ok")


async def ready(request: Request) -> Response:
    """200 once calls can be taken, else 503; the body says how far it is."""
    stage = stage_of(request)
    return json_response(to_json(stage.ready()), 200 if stage.readiness.state is State.WARM else 503)


async def info(request: Request) -> Response:
    """What the handler says of itself; 404 for a handler that says nothing."""
    stage = stage_of(request)
    stage.warm_handler()
    if stage.info is None:
        raise HTTPException(404, "this stage's handler has no info()")
    return json_response(to_json(stage.info))


async def metrics(request: Request) -> Response:
    """The metrics in Prometheus' text format."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def cancel(request: Request) -> Response:
    """End the unfinished request that gave itself this name; it is answered with 499."""
    stage_of(request).shared.jobs.cancel(request.path_params["job_id"])
    return json_response(to_json({"cancelled": True}))


async def predict(request: Request) -> Response:
    """The handler's answer to the request's object: JSON, safetensors, or events, as `Accept` has it."""
    stage = stage_of(request)
    handler = stage.warm_handler()
    form = asked_form(request.headers.get("accept", ""), handler)
    settings = stage.shared.settings
    stage.shared.work.begin()
    async with AsyncExitStack() as place:
        await place.enter_async_context(stage.enter())
        limits = settings.max_body_bytes, settings.body_timeout
        data = await read_object(request, *limits, gives_tensors(handler))
        if starts_tickets(handler):
            return await answer_by_ticket(request, stage, handler, data, form, place)
        if form is not None and gives_tensors(handler):
            return await stage.answer(request, partial(handler.tensors, data), form.render)
        return await stage.answer(
            request, partial(handler, data), lambda value: json_response(to_json(value))
        )
