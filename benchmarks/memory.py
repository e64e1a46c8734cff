"""How much memory processes hold, seen from outside while they run. Linux only."""

import time
from pathlib import Path
from threading import Event, Thread
from typing import Self

INTERVAL = 0.02
FIELDS = {"peak": "VmHWM", "resident": "VmRSS", "anonymous": "RssAnon"}


def held(pid: int | str = "self") -> dict[str, float]:
    """Resident memory in MB at its peak and now, and how much of that now is anonymous.

    Anonymous memory is what a process alone answers for; the rest is mapped from files, and shared
    and given back by the system as it needs to. Raises ProcessLookupError if the process has ended.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError as error:
        raise ProcessLookupError(f"process {pid} has ended") from error
    fields = dict(line.split(":", 1) for line in lines)
    if FIELDS["peak"] not in fields:
        raise ProcessLookupError(f"process {pid} has ended")
    return {name: int(fields[field].split()[0]) / 1024 for name, field in FIELDS.items()}


class PeakMemory:
    """The most memory that processes have held together, watched while the block runs, in MB.

    `resident` counts mapped files, `anonymous` does not.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._peaks: dict[int, float] = {}
        self.anonymous = 0.0
        self._ended = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def resident(self) -> float:
        return sum(self._peaks.values())

    def _watch(self) -> None:
        while not self._ended.is_set():
            self.anonymous = max(self.anonymous, sum(self._look(pid) for pid in self._pids))
            time.sleep(INTERVAL)

    def _look(self, pid: int) -> float:
        try:
            now = held(pid)
        except ProcessLookupError:
            return 0.0
        self._peaks[pid] = now["peak"]
        return now["anonymous"]
