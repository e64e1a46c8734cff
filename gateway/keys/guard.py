"""The door: who has no key comes no further than here."""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..api.rendering import render_error
from ..errors import Unauthorized
from .key import Key
from .ring import KeyRing, token_of

OPEN = frozenset({"/", "/health", "/ready", "/docs", "/openapi.json"})
OPEN_BELOW = ("/web/", "/static-offline-docs/", "/v1/images/files/")
"""The studio's page, which asks for the key itself, the API's description, and pictures under names that
nobody can guess: who asks for a picture as an address fetches it as any other."""
METRICS = "/metrics"
HOW = "Send it as Authorization: Bearer KEY, or with Basic as the password of any user."


@dataclass(frozen=True)
class Doors:
    """Which paths need no key."""

    metrics_open: bool

    def is_open(self, path: str) -> bool:
        return path in OPEN or path.startswith(OPEN_BELOW) or (self.metrics_open and path == METRICS)


class Guard:
    """ASGI middleware: finds the key of each request, which is then in its state, and answers those that
    have none with 401, before anything is read of them."""

    def __init__(self, app: ASGIApp, ring: KeyRing, doors: Doors) -> None:
        self._app = app
        self._ring = ring
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._ring.is_used:
            await self._app(scope, receive, send)
            return
        token = token_of(Headers(scope=scope).get("authorization", ""))
        key = self._ring.find(token) if token else None
        scope["state"]["key"] = key
        scope["state"]["has_keys"] = True
        if key is None and not self._doors.is_open(scope["path"]):
            refused = _refusal(token)
            answer = render_error(refused, scope["state"]["request_id"], scope["path"])
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _refusal(token: str | None) -> Unauthorized:
    if token is None:
        return Unauthorized(f"This gateway asks for a key, and none was sent. {HOW}")
    return Unauthorized(f"The key is none of this gateway's, or no longer. Ask its operator for one. {HOW}")


def key_of(request: Request) -> Key | None:
    """The key that the request came with; None where the gateway asks for none."""
    key: Key | None = getattr(request.state, "key", None)
    return key


def is_stranger(request: Request) -> bool:
    """Whether it came without a key to a gateway that has keys."""
    return getattr(request.state, "has_keys", False) and key_of(request) is None
