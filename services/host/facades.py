"""The handlers of one process: the stage itself, and those served beside it under their names."""

import threading
import time
from collections.abc import Iterator

from starlette.requests import Request

from .door import Door
from .jobs import Jobs
from .metrics import Metrics
from .settings import Settings
from .stage import Shared, Stage
from .work import Work
from .worker import Worker

RETRY_SECONDS, MOST_RETRY_SECONDS = 30.0, 600.0
"""A disk that was full, or a network that was away, may be well again; each time is twice as long after the
one before."""


class Stages:
    """The first is served at the root, each façade under `/<its name>`; one thread loads and calls all."""

    def __init__(self, settings: Settings, metrics: Metrics, work: Work) -> None:
        worker = Worker()
        door = Door(settings.max_queue + 1)
        self.shared = Shared(settings, worker, door, Jobs(worker), metrics, work)
        self.first = Stage(settings.handler_dir, self.shared)
        self.facades = [
            Stage(settings.handlers_dir / name, self.shared, f"/{name}") for name in settings.facade_names
        ]

    def __iter__(self) -> Iterator[Stage]:
        return iter([self.first, *self.facades])

    def start(self) -> None:
        """Begin to load the handlers."""
        self.shared.worker.start(self._load)

    def at(self, path: str) -> Stage:
        """The stage that a request's path belongs to."""
        for facade in self.facades:
            if path == facade.prefix or path.startswith(f"{facade.prefix}/"):
                return facade
        return self.first

    def _load(self) -> None:
        """Again and again where the first stage fails at what may pass."""
        self._load_once()
        pause = RETRY_SECONDS
        while self.first.may_load_yet:
            time.sleep(pause)
            pause = min(2 * pause, MOST_RETRY_SECONDS)
            for stage in self:
                stage.readiness.again()
            self._load_once()
        threading.Thread(target=self._mend_facades, name="facades", daemon=True).start()

    def _mend_facades(self) -> None:
        """Again and again where one failed at what may pass: in the handlers' thread, which serves the first
        stage meanwhile, as a call of its own."""
        pause = RETRY_SECONDS
        while any(facade.may_load_yet for facade in self.facades):
            time.sleep(pause)
            pause = min(2 * pause, MOST_RETRY_SECONDS)
            self.shared.worker.submit(self._load_lacking_facades, bool, part=True).answer.result()

    def _load_lacking_facades(self) -> None:
        for facade in self.facades:
            if facade.may_load_yet:
                facade.readiness.again()
                facade.load(self.first.handler)
                if facade.handler is not None:
                    facade.readiness.warm()

    def _load_once(self) -> None:
        """One after another. All become warm together: until then their thread takes no calls."""
        self.first.load()
        for facade in self.facades:
            if self.first.handler is None:
                facade.readiness.failed(f"it is served beside {self.first.readiness.stage}, which failed")
            else:
                facade.load(self.first.handler)
        for stage in self:
            if stage.handler is not None:
                stage.readiness.warm()


def stage_of(request: Request) -> Stage:
    """The stage that a request is for."""
    stages: Stages = request.app.state.stages
    return stages.at(request.url.path)
