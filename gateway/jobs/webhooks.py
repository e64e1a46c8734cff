"""Who wants to know that a job has ended is told, as standardwebhooks.com says it is done."""

import base64
import binascii
import json
import logging
from collections.abc import Collection
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
from standardwebhooks.webhooks import Webhook as Signer
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from ..errors import InvalidRequest
from .record import Record, Webhook

logger = logging.getLogger(__name__)

ATTEMPTS = 6
BACKOFF = wait_exponential_jitter(initial=1, max=120, exp_base=4, jitter=1)
"""About 1, 4, 16, 64 and 120 s between attempts."""
SECONDS = 15.0
"""So long an attempt may take; the specification says 15 to 30."""
GONE = 410
PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)
"""As the specification has it."""
DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL = 2000
DELIVERED, FAILED, PENDING = "delivered", "failed", "pending"


class NotTaken(Exception):
    """What was answered instead of a 2xx."""


def check_webhook(url: str, secret: str, hosts: Collection[str]) -> Webhook:
    """InvalidRequest unless it is an address on one of these hosts, and a secret of the specification's."""
    field = "webhook"
    if _host(url) is None:
        raise InvalidRequest(
            "webhook.url must be an http or https URL without user name; got another.", field=field
        )
    if not {_host(url), _host_and_port(url)} & set(hosts):
        named = f"those are {', '.join(sorted(hosts))}" if hosts else "there are none"
        raise InvalidRequest(
            f"webhook.url must be on a host that WEBHOOK_HOSTS names, {named}; got {_host_and_port(url)}.",
            field=field,
        )
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in SECRET_BYTES:
        raise InvalidRequest(
            f"webhook.secret must be {PREFIX} and base64 of {SECRET_BYTES[0]} to {SECRET_BYTES[-1]} bytes; "
            "got something else.",
            field=field,
        )
    return Webhook(url, secret)


def _host(url: str) -> str | None:
    """The host, where the port is its scheme's own; with the port otherwise. None where it is no such URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        return None
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"


def _host_and_port(url: str) -> str:
    host, parts = _host(url) or "", urlsplit(url)
    return host if parts.port and host.endswith(f":{parts.port}") else f"{host}:{DEFAULT_PORTS[parts.scheme]}"


class Webhooks:
    """Sends them. Redirects are not followed: they would lead to a host that nobody allowed."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(
            follow_redirects=False, trust_env=False, timeout=httpx.Timeout(SECONDS)
        )

    async def deliver(self, record: Record) -> str:
        """Tells of the job that has ended, several times if it must be; what came of it."""
        assert record.webhook is not None
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=BACKOFF,
            retry=retry_if_exception_type((NotTaken, httpx.HTTPError)),
            reraise=True,
        )
        try:
            answered: int = await retrying(self._send, record, record.webhook, _body(record))
        except (NotTaken, httpx.HTTPError) as error:
            said = f"{type(error).__name__} {error}".strip()
            logger.warning("webhook given up", extra={"request_id": record.id, "error": said})
            return FAILED
        return DELIVERED if answered != GONE else FAILED

    async def _send(self, record: Record, webhook: Webhook, body: str) -> int:
        """The status. A 410 says that nobody wants it any more."""
        message, now = f"msg_{record.id}", datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Signer(webhook.secret).sign(message, now, body),
        }
        async with self._client.stream("POST", webhook.url, content=body, headers=headers) as response:
            if not response.is_success and response.status_code != GONE:
                raise NotTaken(f"{response.status_code} of {webhook.url}")
            return response.status_code

    async def close(self) -> None:
        await self._client.aclose()


def _body(record: Record) -> str:
    """The message, the same in every attempt."""
    error = json.loads(record.error) if record.error else {"error": None}
    ended = datetime.fromtimestamp(record.ended or 0, UTC)
    data = {"id": record.id, "kind": record.kind, "state": record.state, "error": error["error"]}
    said = {"type": f"job.{record.state}", "timestamp": ended.isoformat(), "data": data}
    return json.dumps(said)
