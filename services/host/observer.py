"""Counts and logs every request; its body and its headers are never written down."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triptych.tracing import HEADER, REQUEST_ID, request_id

from .metrics import Metrics

logger = logging.getLogger(__name__)

REMOTE = ("/remote_decode", "/remote_encode")
PROBES = ("/", "/health", "/ready", "/metrics", "/info")


class Observer:
    """ASGI middleware: one log line and one count a request, and the id by which the gateway knows it."""

    def __init__(self, app: ASGIApp, metrics: Metrics, prefixes: Sequence[str] = ()) -> None:
        self._app = app
        self._metrics = metrics
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        REQUEST_ID.set(request_id(Headers(scope=scope).get(HEADER, "")))
        fields: dict[str, Any] = {
            "method": scope["method"],
            "path": scope["path"][:200],
            "status": 500,
            "received": 0,
            "sent": 0,
        }

        async def counted_receive() -> Message:
            message = await receive()
            fields["received"] += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            fields["status"] = message.get("status", fields["status"])
            fields["sent"] += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counted_receive, counted_send)
        finally:
            self._record(fields, time.perf_counter() - began)

    def _record(self, fields: dict[str, Any], seconds: float) -> None:
        route = _route(fields["method"], self._path_at_its_stage(fields["path"]))
        self._metrics.request(route, fields["status"], seconds, fields["received"], fields["sent"])
        # Health checks come every few seconds and would drown the rest.
        level = logging.DEBUG if route == "probe" else logging.INFO
        logger.log(level, "request", extra={"fields": {**fields, "seconds": round(seconds, 4)}})

    def _path_at_its_stage(self, path: str) -> str:
        for prefix in self._prefixes:
            if path == prefix or path.startswith(f"{prefix}/"):
                return path.removeprefix(prefix) or "/"
        return path


def _route(method: str, path: str) -> str:
    if method == "POST" and path in ("/", "/predict"):
        return "predict"
    if method == "POST" and path in REMOTE:
        return "remote"
    if method == "DELETE" and path.startswith("/jobs/"):
        return "cancel"
    return "probe" if method in ("GET", "HEAD") and path in PROBES else "other"
