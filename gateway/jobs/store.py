"""What jobs need of where they are kept: the line, the records, and what belongs to them.

There are two: `Archive`, one gateway's own folder, and `SharedStore`, of several gateways. Both are held to
`tests/unit/gateway/jobs/test_store.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..errors import Overloaded
from ..progress import Progress
from .journal import Journal
from .news import News
from .record import Record

REQUEST, STATE, RESULT = "request.json", "state.json", "result.zip"
"""What belongs to a job: what came with it, how far it is, what came of it."""
RECORD_BYTES = 4096
"""What a record counts for, beside what came with it and what came of it."""
RETRY_AFTER = 60
PACE_OF = 20
"""So many jobs tell how long one takes."""


@dataclass(frozen=True)
class Limits:
    """So many jobs may wait, all take so many bytes, and what has ended is kept for so many seconds; what
    ended first goes first."""

    queue: int
    size: int
    seconds: float


class Store(Protocol):
    """Every call may raise StoreUnavailable. A job is run by one gateway at a time, whose calls about it
    count; those of one that has lost it do nothing."""

    news: News

    async def add(self, record: Record, request: bytes) -> Record:
        """The record as it is kept, at the end of the line, or being run here if it is running; or the one
        that has its key already. Overloaded where there is no room in the line, or for what came with it."""
        ...

    async def find(self, id: str) -> Record | None: ...

    async def find_key(self, key: str) -> Record | None: ...

    async def newest(self, limit: int, client: str | None = None) -> list[Record]:
        """Of this client, or of all."""
        ...

    async def unfinished(self, client: str) -> int:
        """How many of this client have not ended."""
        ...

    async def waiting(self) -> int:
        """How many wait in the line."""
        ...

    async def oldest(self) -> float | None:
        """When the next in the line was handed in; None where nobody waits."""
        ...

    async def size(self) -> int:
        """What all jobs take, in bytes."""
        ...

    async def free(self) -> float:
        """How many bytes there still are for them, infinite where there is no end to be seen."""
        ...

    async def pace(self) -> float | None:
        """The seconds that a job took, in the mean of the latest ones; None where none is done."""
        ...

    async def journal(self, id: str) -> Journal:
        """What was told of a job that has not ended, and its place in the line."""
        ...

    async def take(self) -> Record | None:
        """The next in the line, which is run here now; None where there is none."""
        ...

    async def read(self, id: str, name: str) -> bytes | None:
        """What belongs to the job under this name: REQUEST, STATE or RESULT."""
        ...

    async def tell(self, id: str, told: Mapping[str, Progress]) -> None:
        """Of each kind the newest."""
        ...

    async def keep(self, id: str, state: bytes) -> None:
        """Where the denoising is, in the place of what was kept before."""
        ...

    async def put_back(self, id: str) -> None:
        """It is not run here any more, as the gateway stops: the run does not count, and it is the next."""
        ...

    async def end(self, id: str, state: str, error: str | None, result: bytes | None) -> Record | None:
        """It has ended so, and what it was made of goes. None where it is not here any more, as it must be
        where there is no room for its result, or is run elsewhere."""
        ...

    async def stop(self, id: str, error: str) -> None:
        """Ends one that waits as cancelled, with this error. Of one that runs, whoever runs it is told."""
        ...

    async def owed(self) -> Record | None:
        """One that has ended, and whose webhook is to be sent from here now."""
        ...

    async def notified(self, id: str, outcome: str) -> None:
        """What came of the webhook."""
        ...

    async def remove(self, id: str) -> None: ...

    async def tidy(self) -> None:
        """Removes what has been kept for long enough, or is too much."""
        ...

    async def ids(self) -> list[str]:
        """Of all jobs, as they came."""
        ...

    async def restore(self, record: Record, files: Mapping[str, bytes]) -> bool:
        """Takes a job from a backup, with what belonged to it; one that ran waits. False where there is one
        with its id or its key."""
        ...


def full_line(limit: int, retry_after: int = RETRY_AFTER) -> Overloaded:
    return Overloaded(
        f"{limit} jobs wait and no more are taken. Try again later, or raise JOBS_QUEUE.",
        retry_after=retry_after,
    )


def no_room(size: int) -> Overloaded:
    return Overloaded(
        f"There is no room for the job: those that have not ended fill the {size} bytes that "
        "all may take. Try again later, or raise JOBS_BYTES.",
        retry_after=RETRY_AFTER,
    )
