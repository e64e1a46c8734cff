"""The jobs' records in SQLite. Calls block: they are made from one thread (`gateway/jobs/archive.py`)."""

import json
import sqlite3
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from .record import PENDING, QUEUED, Record, Webhook

COLUMNS = [field.name for field in fields(Record)]
RANK = """
    UPDATE jobs SET turn = ranked.turn FROM (
        SELECT number, ROW_NUMBER() OVER (ORDER BY ended, number) AS turn FROM jobs WHERE ended NOT NULL
    ) AS ranked WHERE jobs.number = ranked.number;
"""
"""Is part of a migration, and so stays as it is."""
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
    """
    ALTER TABLE jobs ADD COLUMN turn INTEGER;
"""
    + RANK
    + """
    CREATE INDEX jobs_by_turn ON jobs (turn);
    CREATE INDEX jobs_by_client ON jobs (client, number);
    CREATE INDEX jobs_owed ON jobs (number) WHERE notified = 'pending';
    CREATE TABLE total (size INTEGER NOT NULL);
    INSERT INTO total SELECT COALESCE(SUM(size), 0) FROM jobs;
    CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
        UPDATE total SET size = total.size + NEW.size;
        UPDATE jobs SET turn = (SELECT COALESCE(MAX(turn), 0) + 1 FROM jobs)
            WHERE number = NEW.number AND NEW.ended NOT NULL;
    END;
    CREATE TRIGGER job_ended AFTER UPDATE OF ended ON jobs BEGIN
        UPDATE jobs SET turn = (SELECT COALESCE(MAX(turn), 0) + 1 FROM jobs) WHERE number = NEW.number;
    END;
    CREATE TRIGGER job_resized AFTER UPDATE OF size ON jobs BEGIN
        UPDATE total SET size = total.size + NEW.size - OLD.size;
    END;
    CREATE TRIGGER job_removed AFTER DELETE ON jobs BEGIN
        UPDATE total SET size = total.size - OLD.size;
    END;
    """,
)
"""What makes each layout of the one before; `PRAGMA user_version` says how many were done. Those that were
published stay as they are. `turn` counts those that have ended: clocks are put right, the order stays. With
`total` and the indexes nothing that is done for each job takes longer the more of them are kept."""
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
        if client is None:
            return self._select("ORDER BY number DESC LIMIT ?", limit)
        return self._select("WHERE client = ? ORDER BY number DESC LIMIT ?", client, limit)

    def unfinished(self, client: str) -> int:
        counted = (
            f"SELECT COUNT(*) FROM jobs INDEXED BY jobs_by_state WHERE client = ? AND state IN {PENDING}"
        )
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
        return self._select(f"WHERE notified = 'pending' AND state NOT IN {PENDING} ORDER BY number")

    def first_ended(self) -> Record | None:
        return next(iter(self._select("WHERE turn NOT NULL ORDER BY turn LIMIT 1")), None)

    def rank_ended(self) -> None:
        """By when they ended, as those that were restored ended before."""
        self._database.execute(RANK)

    def update(self, id: str, **values: Any) -> Record | None:
        """The record as it is then; None where there is none."""
        names = ", ".join(f"{name} = ?" for name in values)
        self._database.execute(f"UPDATE jobs SET {names} WHERE id = ?", [*values.values(), id])
        return self.find(id)

    def delete(self, id: str) -> None:
        self._database.execute("DELETE FROM jobs WHERE id = ?", [id])

    def size(self) -> int:
        """What all jobs take on the disk, in bytes."""
        (size,) = self._database.execute("SELECT size FROM total").fetchone()
        return int(size)

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
