"""The handlers of one process: the stage itself, and those served beside it under their names."""

from collections.abc import Iterator

from starlette.requests import Request

from .door import Door
from .jobs import Jobs
from .metrics import Metrics
from .settings import Settings
from .stage import Shared, Stage
from .work import Work
from .worker import Worker


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
