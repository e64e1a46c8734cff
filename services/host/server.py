"""Runs the application on a socket, and stops it without losing what is under way."""

import time
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from triptych.patience import HEAD_BYTES, Patience, PatientProtocol

from .app import create_app
from .facades import Stages
from .settings import Settings

KEEP_ALIVE_SECONDS = 75  # longer than clients keep a connection, so that they are the ones to close it
FLUSH_SECONDS = 1  # to send the last answers


class Server(uvicorn.Server):
    """uvicorn, but told to stop it goes on listening: it answers new requests with 503 and finishes
    those under way, for `stop_timeout` seconds at most; then those left get 503 as well.
    """

    def __init__(self, settings: Settings) -> None:
        app = create_app(settings)

        class Protocol(PatientProtocol, H11Protocol):
            patience = Patience(settings.header_timeout, settings.max_connections)

        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=Protocol,
            h11_max_incomplete_event_size=HEAD_BYTES,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=FLUSH_SECONDS,
        )
        super().__init__(config)
        self._stages: Stages = app.state.stages
        self._stop_timeout = settings.stop_timeout
        self._stop_at: float | None = None

    def stop(self) -> None:
        """Begin to stop; may be called from any thread, and again."""
        for stage in self._stages:
            stage.readiness.stopping()
        if self._stop_at is None:
            self._stop_at = time.monotonic() + self._stop_timeout

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by uvicorn on SIGTERM and SIGINT."""
        self.stop()

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second; True ends its main loop."""
        if await super().on_tick(counter):
            return True
        if self._stop_at is None or (self._stages.shared.door.inside and time.monotonic() < self._stop_at):
            return False
        self._stages.shared.door.turn_out()
        return True
