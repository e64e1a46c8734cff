"""The files of jobs: what came with a request, how far it is, what came of it. Calls block."""

import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

LOCK = "lock"
JOBS = "jobs"


class Folder:
    """A folder for each job. A file is there whole or not at all. ValueError, with a sentence, where the
    folder cannot be used, for one who `looks` only, where there is none."""

    def __init__(self, path: Path, looks: bool = False) -> None:
        self._path = path
        self._lock: int | None = None
        if not looks:
            self._lock = self._own(path)
        elif not (path / JOBS).is_dir():
            raise ValueError(f"JOBS_DIR must be the folder of a gateway's jobs; there are none in {path}.")

    def _own(self, path: Path) -> int:
        try:
            (path / JOBS).mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ValueError(f"JOBS_DIR must be a folder to write in; {path}: {error.strerror}.") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise ValueError(f"JOBS_DIR must be this gateway's own; another one uses {path}.") from None
        return lock

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def write(self, id: str, name: str, data: bytes) -> None:
        folder = self._path / JOBS / id
        folder.mkdir(mode=0o700, exist_ok=True)
        part = folder / f"{name}.part"
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(folder / name)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def read(self, id: str, name: str) -> bytes | None:
        """None where there is no such file."""
        try:
            return (self._path / JOBS / id / name).read_bytes()
        except FileNotFoundError:
            return None

    def forget(self, id: str, name: str) -> None:
        (self._path / JOBS / id / name).unlink(missing_ok=True)

    def remove(self, id: str) -> None:
        """All files of the job."""
        shutil.rmtree(self._path / JOBS / id, ignore_errors=True)

    def free(self) -> int:
        """Bytes that the disk has left."""
        return shutil.disk_usage(self._path).free

    def keep_only(self, ids: Iterable[str]) -> None:
        """Removes what was written for a job that then was not stored, as in a crash between the two."""
        for stray in {path.name for path in (self._path / JOBS).iterdir()} - set(ids):
            self.remove(stray)
