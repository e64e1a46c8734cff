"""All jobs of a store in one file, and back into a store, be it of the other kind."""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import BinaryIO

from .record import QUEUED, Record, Webhook
from .store import REQUEST, RESULT, STATE, Store

FORMAT = 1
"""Is one more where older programs would misread what newer ones wrote."""
FIRST, RECORD = "backup.json", "record.json"
Job = tuple[Record, dict[str, bytes]]


async def write_backup(store: Store, file: BinaryIO) -> int:
    """Writes a tar file, from the first byte to the last; says of how many jobs. Each is as it was at one
    time, though gateways work on them meanwhile; one that runs will wait where it is restored."""
    count = 0
    with tarfile.open(fileobj=file, mode="w|") as tar:
        _put(tar, FIRST, json.dumps({"format": FORMAT}).encode())
        for id in await store.ids():
            if job := await _read_whole(store, id):
                record, files = job
                _put(tar, f"{id}/{RECORD}", json.dumps(asdict(record)).encode())
                for name, data in files.items():
                    _put(tar, f"{id}/{name}", data)
                count += 1
    return count


async def read_backup(store: Store, file: BinaryIO) -> tuple[int, int]:
    """Restores what is not there yet; says how many jobs, and how many there were already. ValueError, with a
    sentence, of another file."""
    new = known = 0
    try:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            for record, files in _jobs(tar):
                restored = await store.restore(record, files)
                new, known = new + restored, known + (not restored)
    except (tarfile.TarError, EOFError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"The file must be a whole backup of jobs; {new} jobs were restored before it made none: {error}."
        ) from None
    return new, known


async def _read_whole(store: Store, id: str) -> Job | None:
    """None of a job that is gone meanwhile. When it ends, what belongs to it changes and is read again."""
    while record := await store.find(id):
        names = (RESULT,) if record.has_ended else (REQUEST, STATE)
        read = [(name, await store.read(id, name)) for name in names]
        again = await store.find(id)
        if again and again.has_ended == record.has_ended:
            state = record.state if record.has_ended else QUEUED
            return replace(record, state=state), {name: data for name, data in read if data is not None}
    return None


def _jobs(tar: tarfile.TarFile) -> Iterator[Job]:
    """As they were written: a record, then what belongs to it."""
    members = iter(tar)
    first = next(members, None)
    if first is None or first.name != FIRST:
        raise tarfile.ReadError(f"it does not begin with {FIRST}")
    said = json.loads(_get(tar, first))
    if said["format"] > FORMAT:
        raise ValueError(
            f"The backup was made by a newer version of the gateway (it has format {said['format']}, this "
            f"one knows {FORMAT}): restore it with that version."
        )
    job: Job | None = None
    for member in members:
        _, _, name = member.name.partition("/")
        if name == RECORD:
            if job:
                yield job
            job = _record(_get(tar, member)), {}
        elif job:
            job[1][name] = _get(tar, member)
    if job:
        yield job


def _record(data: bytes) -> Record:
    said = json.loads(data)
    return Record(**{**said, "webhook": Webhook(**said["webhook"]) if said["webhook"] else None})


def _put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    tar.addfile(member, io.BytesIO(data))


def _get(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    if file is None or member.name.split("/")[-1] not in (FIRST, RECORD, REQUEST, STATE, RESULT):
        raise tarfile.ReadError(f"{member.name} is nothing of a job")
    return file.read()
