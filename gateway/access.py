"""Around every request: its id, its line in the log, its place in the counters."""

import asyncio
import logging
import time
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triptych.tracing import HEADER, REQUEST_ID, request_id

from .api.rendering import internal_error, stopping
from .metrics import Metrics

logger = logging.getLogger(__name__)

PROBES = ("/health", "/ready", "/metrics")
LOGGED_PATH = 200
"""So much of a path is logged, in characters."""
CLIENT_GONE = 499
"""The customary status, in logs and counters only, of a request whose client left before the answer."""


@dataclass
class Exchange:
    """What is learnt of an answer while it is sent."""

    request_id: str
    status: int = CLIENT_GONE


class AccessLog:
    """ASGI middleware: `x-request-id` in and out, a line in the log and the counters for each request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        exchange = Exchange(request_id(Headers(scope=scope).get(HEADER, "")))
        REQUEST_ID.set(exchange.request_id)
        scope.setdefault("state", {})["request_id"] = exchange.request_id

        async def send_noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                MutableHeaders(scope=message)[HEADER] = exchange.request_id
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except asyncio.CancelledError:
            if exchange.status != CLIENT_GONE:
                raise
            await stopping(exchange.request_id, scope["path"])(scope, receive, send_noting)
        except Exception:
            logger.exception("A fault of the gateway's own", extra={"request_id": exchange.request_id})
            if exchange.status != CLIENT_GONE:
                raise
            await internal_error(exchange.request_id, scope["path"])(scope, receive, send_noting)
        finally:
            self._note(scope, exchange, time.monotonic() - started)

    def _note(self, scope: Scope, exchange: Exchange, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.request(route, exchange.status, seconds)
        fields = {
            "method": scope["method"],
            "path": scope["path"][:LOGGED_PATH],
            "status": exchange.status,
            "seconds": round(seconds, 4),
            "client": (scope.get("client") or ("",))[0],
            "request_id": exchange.request_id,
        }
        if key := scope["state"].get("key"):
            fields["key"] = key.name
        level = logging.DEBUG if scope["path"] in PROBES else logging.INFO
        logger.log(level, "request", extra=fields)
