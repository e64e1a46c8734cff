"""The jobs' records in SQLite. Calls block: they are made from one thread (`gateway/jobs/desk.py`)."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from .record import DONE, PENDING, RUNNING, Record, Webhook

COLUMNS = [field.name for field in fields(Record)]
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    {", ".join(COLUMNS)},
    UNIQUE (id), UNIQUE (key)
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, number);
"""
VERSION = 1
"""Of the schema; a file of another one is not read."""
PACE_OF = 20
"""So many jobs tell how long one takes."""


class Store:
    """A table of records. What was written is there after a crash of the process, and of the machine."""

    def __init__(self, path: Path) -> None:
        path.touch(0o600)  # it holds prompts, and the secrets of webhooks
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise ValueError(f"JOBS_DIR holds jobs of another version of the gateway ({path}): empty it.")
        self._database.executescript(SCHEMA)
        self._database.execute(f"PRAGMA user_version={VERSION}")

    def close(self) -> None:
        self._database.close()

    def add(self, record: Record) -> Record:
        """The record, or the one that has its key already."""
        marks = ", ".join("?" * len(COLUMNS))
        added = self._database.execute(
            f"INSERT INTO jobs ({', '.join(COLUMNS)}) VALUES ({marks}) ON CONFLICT (key) DO NOTHING",
            list(_row(record).values()),
        )
        if added.rowcount:
            return record
        (known,) = self._select("WHERE key = ?", record.key)
        return known

    def find(self, id: str) -> Record | None:
        return next(iter(self._select("WHERE id = ?", id)), None)

    def find_key(self, key: str) -> Record | None:
        return next(iter(self._select("WHERE key = ?", key)), None)

    def newest(self, limit: int) -> list[Record]:
        return self._select("ORDER BY number DESC LIMIT ?", limit)

    def pending(self) -> list[Record]:
        """Those that have not ended: those that ran first, then as they came."""
        return self._select(f"WHERE state IN {PENDING} ORDER BY state != ?, number", RUNNING)

    def unnotified(self) -> list[Record]:
        """Those that have ended and whose webhook has yet to be told."""
        return self._select(f"WHERE state NOT IN {PENDING} AND notified = 'pending' ORDER BY number")

    def ended(self) -> list[Record]:
        """That which ended first first."""
        return self._select(f"WHERE state NOT IN {PENDING} ORDER BY ended, number")

    def update(self, id: str, **values: Any) -> Record | None:
        """The record as it is then; None where there is none."""
        names = ", ".join(f"{name} = ?" for name in values)
        self._database.execute(f"UPDATE jobs SET {names} WHERE id = ?", [*values.values(), id])
        return self.find(id)

    def delete(self, id: str) -> None:
        self._database.execute("DELETE FROM jobs WHERE id = ?", [id])

    def size(self) -> int:
        """What all jobs take on the disk, in bytes."""
        (size,) = self._database.execute("SELECT COALESCE(SUM(size), 0) FROM jobs").fetchone()
        return int(size)

    def pace(self) -> float | None:
        """The seconds that a job took, in the mean of the latest ones; None where none is done."""
        latest = f"SELECT ended - began AS s FROM jobs WHERE state = ? ORDER BY ended DESC LIMIT {PACE_OF}"
        (seconds,) = self._database.execute(f"SELECT AVG(s) FROM ({latest})", [DONE]).fetchone()
        return None if seconds is None else float(seconds)

    def ids(self) -> Iterable[str]:
        return [row["id"] for row in self._database.execute("SELECT id FROM jobs")]

    def _select(self, which: str, *values: Any) -> list[Record]:
        rows = self._database.execute(f"SELECT {', '.join(COLUMNS)} FROM jobs {which}", values)
        return [_record(dict(row)) for row in rows]


def _row(record: Record) -> dict[str, Any]:
    webhook = json.dumps(asdict(record.webhook)) if record.webhook else None
    return {**vars(record), "webhook": webhook}


def _record(row: dict[str, Any]) -> Record:
    webhook = Webhook(**json.loads(row["webhook"])) if row["webhook"] else None
    return Record(**{**row, "webhook": webhook, "drawn": bool(row["drawn"])})
