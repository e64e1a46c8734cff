"""Where jobs are kept, as the settings say."""

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from ..settings import Settings
from .archive import open_archive
from .store import Limits, Store

logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """The gateway's, of its own or of several. ValueError where it cannot be used, which the log says too."""
    async with AsyncExitStack() as entered:
        try:
            store = await entered.enter_async_context(choose_store(settings))
        except ValueError as error:
            logger.critical("The gateway cannot start: %s", error)
            raise
        yield store


def choose_store(settings: Settings, looks: bool = False) -> AbstractAsyncContextManager[Store]:
    """The same. ValueError, with a sentence, where it cannot be used. Who `looks` only may do so while a
    gateway uses it."""
    limits = Limits(settings.jobs_queue, settings.jobs_bytes, settings.jobs_keep_seconds)
    if settings.jobs_url:
        # The client loads OpenTelemetry's SDK where that is installed, which is for those alone who use it.
        from .server import Server
        from .shared import open_shared

        server = Server(settings.jobs_url, settings.jobs_password)
        return open_shared(server, limits, settings.jobs_lease_seconds)
    return open_archive(settings.jobs_dir, limits, looks)
