"""The door of a stage that has a secret: who does not know it comes no further than here."""

import hmac

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .forms import JSON, to_json

OPEN = ("/health", "/ready")
"""Of every stage that is served: whether it answers, and how far it is, is asked by what starts it."""
METRICS = "/metrics"
REFUSED = {"error": "401 Unauthorized", "code": "UNAUTHORIZED"}
"""As a Hugging Face Endpoint answers."""


class Guard:
    """ASGI middleware: answers 401 to requests without `Authorization: Bearer` and the secret, before
    anything is read of them."""

    def __init__(self, app: ASGIApp, secret: str, metrics_open: bool) -> None:
        self._app = app
        self._secret = secret.encode()
        self._open = (*OPEN, METRICS) if metrics_open else OPEN

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_open(scope) or self._knows(scope):
            await self._app(scope, receive, send)
            return
        headers = {"WWW-Authenticate": "Bearer"}
        await Response(to_json(REFUSED), 401, headers, media_type=JSON)(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        return scope["method"] in ("GET", "HEAD") and scope["path"].endswith(self._open)

    def _knows(self, scope: Scope) -> bool:
        scheme, _, token = Headers(scope=scope).get("authorization", "").strip().partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._secret)
