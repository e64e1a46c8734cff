"""What a gateway does all the time where it shares its jobs: it hears the news, says that it is alive, and
takes over the jobs of gateways that do not."""

import asyncio
import logging
import time
import uuid
from typing import Self

from redis.exceptions import RedisError

from ..background import end_tasks
from ..errors import StoreUnavailable
from . import scripts
from .news import News
from .server import Server

PAUSE_SECONDS = 1.0
"""Before the server is tried again."""
RENEWALS = 3
"""In the time of a lease."""

logger = logging.getLogger(__name__)


class Leases:
    """Of the jobs that run here, since when by the monotonic clock, and of the webhooks that are sent from
    here, by the jobs' ids."""

    def __init__(self, server: Server, seconds: float) -> None:
        self.news = News()
        self.me = uuid.uuid4().hex
        self.seconds = seconds
        self.running: dict[str, float] = {}
        self.notifying: set[str] = set()
        self._server = server
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._renew())]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.news.close()
        await end_tasks(self._tasks)

    async def _renew(self) -> None:
        """And wakes everybody, in case that some news was not heard."""
        while True:
            try:
                await self._renew_once()
            except StoreUnavailable as error:
                logger.warning("the job store is not there", extra={"error": error.message})
            self.news.tell_all()
            await asyncio.sleep(self.seconds / RENEWALS)

    async def _renew_once(self) -> None:
        running, notifying = list(self.running), list(self.notifying)
        ends = await self._server.run(
            scripts.RENEW, self.me, self.seconds, len(running), *running, *notifying
        )
        for id in ends:
            self.news.stopping.put_nowait(id.decode())
        # Whoever could not reach the server either has the time of a lease to come back.
        if time.monotonic() - self._server.lost_at > self.seconds and (
            taken := await self._server.run(scripts.TAKE_OVER)
        ):
            logger.warning("jobs of a gateway that is gone were taken over", extra={"jobs": taken})

    async def _listen(self) -> None:
        while True:
            try:
                async with self._server.client.pubsub(ignore_subscribe_messages=True) as heard:
                    await heard.subscribe(scripts.NEWS)
                    self.news.tell_all()
                    while True:
                        message = await heard.get_message(timeout=self.seconds)
                        if message:
                            self._hear(message["data"].decode())
            except (RedisError, OSError) as error:
                logger.warning("the job store's news are not heard", extra={"error": str(error)})
                await asyncio.sleep(PAUSE_SECONDS)

    def _hear(self, topic: str) -> None:
        if topic.startswith(scripts.STOP):
            id = topic.removeprefix(scripts.STOP)
            if id in self.running:
                self.news.stopping.put_nowait(id)
        else:
            self.news.tell(topic)
