"""The jobs' records in SQLite. Calls block: they are made from one thread (`gateway/jobs/archive.py`)."""

import json
import sqlite3
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from .record import DONE, PENDING, QUEUED, Record, Webhook
from .store import PACE_OF

COLUMNS = [field.name for field in fields(Record)]
MIGRATIONS = (
    """
    CREATE TABLE IF NOT EXISTS jobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id, kind, client, parameters, drawn, key, digest, webhook, created,
        state, began, ended, runs, error, size, notified,
        UNIQUE (id), UNIQUE (key)
    );
    CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, number);
    """,
)
"""What makes each layout of the one before; `PRAGMA user_version` says how many were done. Those that were
published stay as they are."""
LINE = f"FROM jobs WHERE state = '{QUEUED}'"
ORDER = "ORDER BY began IS NULL, number"
"""Of the line: those that ran before, then as they came."""


class Table:
    """A table of records. What was written is there after a crash of the process, and of the machine.
    ValueError, with a sentence, where it is of a newer gateway. One that `looks` only changes nothing."""

    def __init__(self, path: Path, looks: bool = False) -> None:
        if not looks:
            path.touch(0o600)  # it holds prompts, and the secrets of webhooks
        address = f"{path.absolute().as_uri()}?mode={'ro' if looks else 'rw'}"
        self._database = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        try:
            self._migrate(path, looks)
        except BaseException:
            self._database.close()
            raise

    def _migrate(self, path: Path, looks: bool) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise ValueError(
                f"JOBS_DIR holds jobs of a newer version of the gateway ({path} has layout {version}, this "
                f"one knows {len(MIGRATIONS)}): run that version, or name another folder."
            )
        if looks:
            return
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        for number, step in enumerate(MIGRATIONS[version:], version + 1):
            self._database.executescript(f"BEGIN; {step}; PRAGMA user_version={number}; COMMIT;")

    def close(self) -> None:
        self._database.close()

    def add(self, record: Record) -> None:
        marks = ", ".join("?" * len(COLUMNS))
        self._database.execute(
            f"INSERT INTO jobs ({', '.join(COLUMNS)}) VALUES ({marks})", list(_row(record).values())
        )

    def find(self, id: str) -> Record | None:
        return next(iter(self._select("WHERE id = ?", id)), None)

    def find_key(self, key: str) -> Record | None:
        return next(iter(self._select("WHERE key = ?", key)), None)

    def newest(self, limit: int, client: str | None) -> list[Record]:
        which = "WHERE client = ? OR ? IS NULL ORDER BY number DESC LIMIT ?"
        return self._select(which, client, client, limit)

    def unfinished(self, client: str) -> int:
        counted = f"SELECT COUNT(*) FROM jobs WHERE client = ? AND state IN {PENDING}"
        (count,) = self._database.execute(counted, [client]).fetchone()
        return int(count)

    def next(self) -> Record | None:
        """In the line."""
        return next(iter(self._select(f"WHERE state = '{QUEUED}' {ORDER} LIMIT 1")), None)

    def waiting(self) -> int:
        (waiting,) = self._database.execute(f"SELECT COUNT(*) {LINE}").fetchone()
        return int(waiting)

    def place(self, id: str) -> int | None:
        """In the line, 1 being the next; None where it does not wait."""
        ranked = f"SELECT id, ROW_NUMBER() OVER ({ORDER}) AS place {LINE}"
        row = self._database.execute(f"SELECT place FROM ({ranked}) WHERE id = ?", [id]).fetchone()
        return None if row is None else int(row["place"])

    def queue_running(self) -> None:
        """All that ran wait now."""
        self._database.execute("UPDATE jobs SET state = ? WHERE state IN (?, ?)", [QUEUED, *PENDING])

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

    def ids(self) -> list[str]:
        return [row["id"] for row in self._database.execute("SELECT id FROM jobs ORDER BY number")]

    def _select(self, which: str, *values: Any) -> list[Record]:
        rows = self._database.execute(f"SELECT {', '.join(COLUMNS)} FROM jobs {which}", values)
        return [_record(dict(row)) for row in rows]


def _row(record: Record) -> dict[str, Any]:
    webhook = json.dumps(asdict(record.webhook)) if record.webhook else None
    return {**vars(record), "webhook": webhook}


def _record(row: dict[str, Any]) -> Record:
    webhook = Webhook(**json.loads(row["webhook"])) if row["webhook"] else None
    return Record(**{**row, "webhook": webhook, "drawn": bool(row["drawn"])})
