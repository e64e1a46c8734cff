"""Backs up jobs and restores them: `python -m gateway.jobs backup|restore FILE`.

FILE may be `-`, for standard output and input. The store is that of the gateway's environment.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ..settings import Settings, sentences
from .backup import read_backup, write_backup
from .opening import choose_store


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m gateway.jobs", description=__doc__)
    parser.add_argument("what", choices=["backup", "restore"], help="write FILE, or read it")
    parser.add_argument("file", metavar="FILE", help="a tar file, or - for standard output or input")
    asked = parser.parse_args(arguments)
    do = backup if asked.what == "backup" else restore
    try:
        settings = Settings()
        if not settings.jobs_url and not settings.jobs_dir:
            raise ValueError("JOBS_DIR or JOBS_URL must say where the jobs are.")
        print(asyncio.run(do(settings, asked.file)), file=sys.stderr)
    except ValueError as error:
        sys.exit("\n".join(sentences(error)))
    except OSError as error:
        sys.exit(f"{asked.file}: {error.strerror or error}.")


async def backup(settings: Settings, name: str) -> str:
    """The file is there when it is whole. It holds prompts and the secrets of webhooks: only its owner may
    read it."""
    async with choose_store(settings, looks=True) as store:
        if name == "-":
            return _made(await write_backup(store, sys.stdout.buffer))
        part = Path(f"{name}.part")
        with open(part, "wb", opener=_private) as file:
            count = await write_backup(store, file)
            os.fsync(file.fileno())
        part.replace(name)
        return _made(count)


async def restore(settings: Settings, name: str) -> str:
    with ExitStack() as entered:
        file = sys.stdin.buffer if name == "-" else entered.enter_context(Path(name).open("rb"))
        async with choose_store(settings) as store:
            new, known = await read_backup(store, file)
    return f"{new} jobs restored; {known} were there already."


def _made(count: int) -> str:
    return f"{count} jobs backed up."


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


if __name__ == "__main__":
    main()
