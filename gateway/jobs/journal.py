"""How far a job is, for everybody who watches it."""

import asyncio
import time
from dataclasses import dataclass, replace

from ..progress import Progress


@dataclass(frozen=True)
class Entry:
    """What a job told: its place in the line, 1 being the next, how far it is, or its newest previews.

    Numbers go up, also over a restart of the gateway.
    """

    number: int
    kind: str
    what: int | Progress


PLACE, PROGRESS, PREVIEW = "queued", "progress", "preview"


class Journal:
    """Of each kind of entry the newest, in whose place no older one is: nobody gets a backlog.

    `denoising` is how far that is, or was when other stages had their turn.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._number = time.time_ns() // 1_000_000
        self._changed = asyncio.Event()
        self.denoising: Progress | None = None
        self.ended = False

    def place(self, place: int) -> None:
        if self.latest(PLACE) != place:
            self._tell(PLACE, place)

    def begin(self) -> None:
        """It waits no longer."""
        self._entries.pop(PLACE, None)

    def notice(self, progress: Progress) -> None:
        """The watcher's."""
        if progress.steps:
            self.denoising = progress
        if progress.previews:
            self._tell(PREVIEW, progress)
        self._tell(PROGRESS, replace(progress, previews=()))

    def end(self) -> None:
        self.ended = True
        self._wake()

    def latest(self, kind: str) -> int | Progress | None:
        entry = self._entries.get(kind)
        return entry.what if entry else None

    async def after(self, number: int) -> list[Entry]:
        """What is newer, once there is something; nothing where the job ended instead."""
        while not (news := self._newer(number)) and not self.ended:
            await self._changed.wait()
        return news

    async def wait(self) -> None:
        """Until the job has ended."""
        while not self.ended:
            await self._changed.wait()

    def _newer(self, number: int) -> list[Entry]:
        newer = [entry for entry in self._entries.values() if entry.number > number]
        return sorted(newer, key=lambda entry: entry.number)

    def _tell(self, kind: str, what: int | Progress) -> None:
        self._number += 1
        self._entries[kind] = Entry(self._number, kind, what)
        self._wake()

    def _wake(self) -> None:
        """All who wait now, and none who comes later."""
        self._changed.set()
        self._changed = asyncio.Event()
