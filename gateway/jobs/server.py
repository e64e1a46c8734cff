"""A Redis or Valkey server, and what is said where there is none."""

import logging
import time
from collections.abc import Awaitable
from typing import Any, Self

from pydantic import SecretStr
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import AuthenticationError, OutOfMemoryError, RedisError, ResponseError

from ..addresses import STORE_SCHEMES
from ..errors import StoreUnavailable
from ..places import without_userinfo
from . import scripts

CONNECTIONS = 32
SECONDS = 10.0
"""So long a call may take; what belongs to a job may be large."""
CONNECT_SECONDS = 3.0
RETRY_AFTER = 5

logger = logging.getLogger(__name__)


class Server:
    """The connections to it, and the scripts that it runs. Calls raise StoreUnavailable."""

    def __init__(self, url: str, password: SecretStr | None) -> None:
        scheme, _, rest = url.partition("://")
        given = {"password": password.get_secret_value()} if password else {}  # else that of the URL
        pool = BlockingConnectionPool.from_url(
            f"{STORE_SCHEMES[scheme]}://{rest}",
            max_connections=CONNECTIONS,
            timeout=SECONDS,
            socket_timeout=SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 1),  # an idle connection of a server that was started anew
            **given,
        )
        self.url = url
        self.client = Redis.from_pool(pool)
        self.lost_at = time.monotonic()
        """When it was last not there for all that is known; first when this began."""
        self._scripts: dict[str, AsyncScript] = {}

    async def run(self, script: str, *values: str | bytes | float) -> Any:
        """One of `scripts.py`, with these."""
        known = self._scripts.get(script)
        if known is None:
            known = self._scripts[script] = self.client.register_script(f"{scripts.COMMON}{script}")
        return await self._answer(known(args=list(values)))

    async def do(self, command: str, *values: str | float) -> Any:
        """A command of Redis'."""
        return await self._answer(self.client.execute_command(command, *values))  # type: ignore[no-untyped-call]

    async def _answer(self, answer: Awaitable[Any]) -> Any:
        try:
            return await answer
        except (RedisError, OSError) as error:
            self.lost_at = time.monotonic()
            raise _unavailable(error) from error

    async def __aenter__(self) -> Self:
        """ValueError, with a sentence, where it cannot be used."""
        try:
            await self._check()
        except BaseException:
            await self.client.aclose()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.aclose()

    async def _check(self) -> None:
        try:
            await self.client.set(scripts.LAYOUT_KEY, scripts.LAYOUT, nx=True)
            there = int(await self.client.get(scripts.LAYOUT_KEY) or 0)
        except (RedisError, OSError) as error:
            raise ValueError(
                f"JOBS_URL must be a Redis or Valkey server; {_named(self.url)}: {_why(error)}"
            ) from None
        if there == scripts.LAYOUT:
            return
        age, advice = "a newer", "run that version, or name another database."
        if there < scripts.LAYOUT:
            age = "an older"
            advice = (
                "have that version write them to a file (python -m gateway.jobs backup), and restore it with "
                "this one into an empty database."
            )
        raise ValueError(
            f"JOBS_URL holds jobs of {age} version of the gateway ({_named(self.url)} has layout {there}, "
            f"this one knows {scripts.LAYOUT}): {advice}"
        )


def _unavailable(error: Exception) -> StoreUnavailable:
    """What is answered where a call failed so."""
    what = "The job store (JOBS_URL) cannot be reached."
    if isinstance(error, ResponseError):
        logger.error("the job store answered with an error", extra={"error": str(error)})
        what = "The job store (JOBS_URL) takes nothing now: the gateway's log says why."
    if isinstance(error, OutOfMemoryError):
        what = "The job store (JOBS_URL) is full: raise its maxmemory."
    return StoreUnavailable(f"{what} Jobs that were taken are not lost. Try again.", retry_after=RETRY_AFTER)


def _why(error: Exception) -> str:
    if isinstance(error, AuthenticationError) or "NOAUTH" in str(error):
        return "it does not take the password. Set JOBS_PASSWORD or JOBS_PASSWORD_FILE."
    if isinstance(error, ResponseError):
        return f"it answered: {error}."
    return f"it cannot be reached ({error}). Start it, or leave JOBS_URL empty for jobs of one gateway."


def _named(url: str) -> str:
    return without_userinfo(url).partition("?")[0]
