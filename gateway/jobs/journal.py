"""How far a job is, for everybody who watches it."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..progress import Progress

PLACE, PROGRESS, PREVIEW = "queued", "progress", "preview"
DENOISING = "denoising"
"""How far that is, or was when other stages had their turn: no event."""


@dataclass(frozen=True)
class Entry:
    """What a job told: its place in the line, 1 being the next, how far it is, or its newest previews.

    Numbers go up, over all jobs of a store, whoever tells.
    """

    number: int
    kind: str
    what: int | Progress


class Journal:
    """Of each kind of entry the newest, in whose place no older one is: nobody gets a backlog."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = {entry.kind: entry for entry in entries}

    @property
    def place(self) -> int | None:
        what = self._latest(PLACE)
        return what if isinstance(what, int) else None

    def progress(self, kind: str = PROGRESS) -> Progress | None:
        what = self._latest(kind)
        return what if isinstance(what, Progress) else None

    def after(self, number: int) -> list[Entry]:
        """The events that are newer, in the order in which they came."""
        newer = [one for one in self._entries.values() if one.number > number and one.kind != DENOISING]
        return sorted(newer, key=lambda entry: entry.number)

    def _latest(self, kind: str) -> int | Progress | None:
        entry = self._entries.get(kind)
        return entry.what if entry else None
