"""What is under way, for clients that ask how far it is and interrupt it."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ...progress import Progress, Watcher
from ...requests import GenerateResult
from ..narration import Work

PREVIEW_EVERY = 5


@dataclass(eq=False)
class Activity:
    """One request: `count` batches that the client asked for, and what there is of them."""

    count: int
    size: tuple[int, int]
    owner: str | None = None
    job: str = field(default_factory=lambda: uuid.uuid4().hex)
    timestamp: str = field(default_factory=lambda: time.strftime("%Y%m%d%H%M%S"))
    started: float = field(default_factory=time.monotonic)
    latest: Progress | None = None
    previews: tuple[bytes, ...] = ()
    done: list[GenerateResult] = field(default_factory=list)
    interrupted: bool = False
    _task: "asyncio.Task[None] | None" = None

    async def perform(self, work: Work) -> list[GenerateResult]:
        """Every batch; if it is interrupted, those that are done."""
        self._task = asyncio.create_task(self._collect(work(Watcher(self._notice, PREVIEW_EVERY))))
        try:
            await self._task
        except asyncio.CancelledError:
            if not self.interrupted:
                raise
        return self.done

    def interrupt(self) -> None:
        """Ends it now: what there is of it is answered."""
        self.interrupted = True
        if self._task:
            self._task.cancel()

    @property
    def progress(self) -> float:
        """Of all steps, 0 to 1."""
        latest = self.latest
        return latest.step / latest.steps if latest and latest.steps else 0.0

    @property
    def seconds_left(self) -> float:
        """By the stage, or else by the time that it took until now; 0 where nothing tells."""
        if self.latest and self.latest.seconds_left is not None:
            return self.latest.seconds_left
        passed = time.monotonic() - self.started
        return passed * (1 - self.progress) / self.progress if self.progress else 0.0

    async def _collect(self, batches: AsyncIterator[GenerateResult]) -> None:
        async for batch in batches:
            self.done.append(batch)
            self.previews = ()

    def _notice(self, progress: Progress) -> None:
        """Stages without steps are no way back to the beginning."""
        if progress.steps or self.latest is None:
            self.latest = progress
        self.previews = progress.previews or self.previews


class Activities:
    """In the order in which they came. Clients of this API know of one at a time: the oldest of their
    owner."""

    def __init__(self) -> None:
        self._under_way: list[Activity] = []

    def __len__(self) -> int:
        return len(self._under_way)

    def current(self, owner: str | None = None) -> Activity | None:
        return next((activity for activity in self._under_way if activity.owner == owner), None)

    @contextmanager
    def begin(self, count: int, size: tuple[int, int], owner: str | None = None) -> Iterator[Activity]:
        """One more, until the end of the block."""
        activity = Activity(count, size, owner)
        self._under_way.append(activity)
        try:
            yield activity
        finally:
            self._under_way.remove(activity)
