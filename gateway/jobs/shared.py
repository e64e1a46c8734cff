"""The jobs of several gateways, in a Redis or Valkey server."""

import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from ..progress import Progress
from . import scripts
from .hashes import to_fields, to_journal, to_record, to_text
from .journal import Journal
from .leases import Leases
from .record import QUEUED, Record
from .scripts import PREFIX
from .server import Server
from .store import RECORD_BYTES, Limits, full_line, no_room
from .webhooks import PENDING


class SharedStore:
    """A `Store`. A job that runs is leased to the gateway that runs it; where that does not renew the lease,
    another takes the job over."""

    def __init__(self, server: Server, limits: Limits, leases: Leases) -> None:
        self.news = leases.news
        self._server = server
        self._limits = limits
        self._leases = leases

    async def add(self, record: Record, request: bytes) -> Record:
        """A job is kept under its id once, however often it is added."""
        added = replace(record, size=len(request) + RECORD_BYTES)
        await self._tidy(added.size)
        while True:
            said, *ids = await self._server.run(
                scripts.ADD,
                *(record.id, record.key or "", record.state, added.size, request),
                *(self._leases.me, self._leases.seconds, self._limits.queue, self._limits.size),
                *to_fields(added),
            )
            if said == b"line":
                raise full_line(self._limits.queue)
            if said == b"room":
                raise no_room(self._limits.size)
            if known := await self.find(ids[0].decode()):
                if record.state != QUEUED and known.id == record.id:
                    self._leases.running[record.id] = time.monotonic()
                return known

    async def find(self, id: str) -> Record | None:
        fields = await self._server.do("HGETALL", f"{PREFIX}job:{id}")
        return to_record([text for pair in fields.items() for text in pair])

    async def find_key(self, key: str) -> Record | None:
        id = await self._server.do("HGET", f"{PREFIX}keys", key)
        return await self.find(id.decode()) if id else None

    async def newest(self, limit: int, client: str | None = None) -> list[Record]:
        found = await self._server.run(scripts.NEWEST, limit, client or "")
        records = [await self.find(id.decode()) for id in found]
        return [record for record in records if record]

    async def unfinished(self, client: str) -> int:
        return int(await self._server.run(scripts.UNFINISHED, client))

    async def waiting(self) -> int:
        return int(await self._server.do("ZCARD", f"{PREFIX}line"))

    async def oldest(self) -> float | None:
        ids = await self._server.do("ZRANGE", f"{PREFIX}line", 0, 0)
        created = await self._server.do("HGET", f"{PREFIX}job:{ids[0].decode()}", "created") if ids else None
        return None if created is None else float(created)

    async def size(self) -> int:
        return int(await self._server.do("GET", f"{PREFIX}size") or 0)

    async def free(self) -> float:
        """Of the server's `maxmemory`."""
        memory = await self._server.do("INFO", "memory")
        most = memory["maxmemory"]
        return max(0, most - memory["used_memory"]) if most else math.inf

    async def pace(self) -> float | None:
        paces = await self._server.do("LRANGE", f"{PREFIX}paces", 0, -1)
        return sum(map(float, paces)) / len(paces) if paces else None

    async def journal(self, id: str) -> Journal:
        place, moved, told = await self._server.run(scripts.JOURNAL, id)
        return to_journal(place, int(moved), told)

    async def take(self) -> Record | None:
        taken = to_record(
            await self._server.run(scripts.TAKE, self._leases.me, self._leases.seconds, time.time())
        )
        if taken:
            self._leases.running[taken.id] = time.monotonic()
        return taken

    async def read(self, id: str, name: str) -> bytes | None:
        data: bytes | None = await self._server.do("GET", f"{PREFIX}file:{id}:{name}")
        return data

    async def tell(self, id: str, told: Mapping[str, Progress]) -> None:
        texts = [text for kind, progress in told.items() for text in (kind, to_text(progress))]
        await self._server.run(scripts.TELL, id, self._leases.me, *texts)

    async def keep(self, id: str, state: bytes) -> None:
        await self._server.run(scripts.KEEP, id, self._leases.me, state)

    async def put_back(self, id: str) -> None:
        self._leases.running.pop(id, None)
        await self._server.run(scripts.PUT_BACK, id, self._leases.me)

    async def end(self, id: str, state: str, error: str | None, result: bytes | None) -> Record | None:
        made = [] if result is None else [result]
        now = time.monotonic()
        took = now - self._leases.running.get(id, now)
        ended = to_record(
            await self._server.run(
                scripts.END, id, self._leases.me, state, error or "", time.time(), took, *made
            )
        )
        self._leases.running.pop(id, None)
        if ended is None:
            return None
        await self.tidy()
        return await self.find(id)

    async def stop(self, id: str, error: str) -> None:
        await self._server.run(scripts.CANCEL, id, error, time.time())

    async def owed(self) -> Record | None:
        record = to_record(await self._server.run(scripts.OWED, self._leases.seconds))
        if record:
            self._leases.notifying.add(record.id)
        return record

    async def notified(self, id: str, outcome: str) -> None:
        await self._server.run(scripts.NOTIFIED, id, outcome)
        self._leases.notifying.discard(id)

    async def remove(self, id: str) -> None:
        await self._server.run(scripts.REMOVE, id)

    async def tidy(self) -> None:
        await self._tidy()

    async def ids(self) -> list[str]:
        found = await self._server.do("ZRANGE", f"{PREFIX}jobs", 0, -1)
        return [id.decode() for id in found]

    async def restore(self, record: Record, files: Mapping[str, bytes]) -> bool:
        owed = record.has_ended and record.notified == PENDING
        return bool(
            await self._server.run(
                scripts.RESTORE,
                *(record.id, record.key or "", record.state, record.ended or 0, int(owed), record.size),
                *(len(files), *(part for name, data in files.items() for part in (name, data))),
                *to_fields(record),
            )
        )

    async def _tidy(self, coming: int = 0) -> None:
        await self._server.run(scripts.TIDY, self._limits.seconds, self._limits.size, coming)


@asynccontextmanager
async def open_shared(server: Server, limits: Limits, lease_seconds: float) -> AsyncIterator[SharedStore]:
    """The store in this server. ValueError, with a sentence, where it cannot be used."""
    async with server, Leases(server, lease_seconds) as leases:
        yield SharedStore(server, limits, leases)
