"""The gateway's ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from triptych.tracing import Tracing
from triptych.watchdog import watched

from . import __version__
from .access import CLIENT_GONE, AccessLog
from .api import native, operations, remote
from .api.a1111 import lists, options
from .api.a1111 import routes as a1111
from .api.a1111.activity import Activities
from .api.a1111.options import Options
from .api.huggingface import routes as huggingface
from .api.jobs import routes as jobs
from .api.jobs.craft import make_craft
from .api.openai import routes as openai
from .api.openapi import declare_keys
from .api.rendering import render_error, route_error
from .errors import GatewayError
from .jobs.desk import Desk, open_desk
from .keys.guard import Doors, Guard
from .keys.ring import KeyRing
from .metrics import Metrics
from .runtime import Runtime, open_runtime
from .settings import Settings
from .shelf import Shelf
from .studio import add_studio

DESCRIPTION = "Stable Diffusion in panels that can hang anywhere: text encoder, diffusion model and decoder."


class LifespanState(TypedDict):
    runtime: Runtime
    desk: Desk
    shelf: Shelf
    activities: Activities
    options: Options


def create_app(settings: Settings) -> FastAPI:
    """The application with these settings. Its lifespan owns the connections to the stages."""
    metrics = Metrics()
    tracing = Tracing("triptych-gateway", settings.traces_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[LifespanState]:
        async with (
            watched(),
            open_runtime(settings, metrics, tracing) as runtime,
            open_desk(runtime, make_craft(runtime)) as desk,
        ):
            yield {
                "runtime": runtime,
                "desk": desk,
                "shelf": Shelf(),
                "activities": Activities(),
                "options": Options(),
            }

    app = FastAPIOffline(
        title="Triptych",
        description=DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        redoc_url=None,
        telemetry=tracing.of_fastapi,
    )
    doors = Doors(settings.metrics_open)
    app.add_middleware(Guard, ring=KeyRing(settings), doors=doors)
    app.add_middleware(AccessLog, metrics=metrics)
    app.include_router(native.router)
    app.include_router(jobs.router)
    app.include_router(remote.router)
    for dialect in (openai, a1111, options, lists, huggingface):
        app.include_router(dialect.router)
    app.include_router(operations.router)
    add_studio(app)
    declare_keys(app, settings.needs_keys, doors.is_open)
    app.add_exception_handler(GatewayError, _gateway_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    return app


async def _gateway_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)
    return render_error(error, request.state.request_id, request.url.path)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers, asked = dict(error.headers or {}), (request.method, request.url.path, request.state.request_id)
    return route_error(error.status_code, *asked, headers, error.detail)


async def _client_gone(request: Request, error: Exception) -> Response:
    """Nobody reads it; the log and the counters do."""
    return Response(status_code=CLIENT_GONE)
