"""Runs a command within a limit of memory: in a control group of its own, by whatever way there is here."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
ENTER = 'echo $$ > "$0" && exec "$@"'


@dataclass(frozen=True)
class Limit:
    """The words to put before a command, and how that limits it, as a clause."""

    prefix: Sequence[str]
    how: str


@contextmanager
def limited(megabytes: int) -> Iterator[Limit | None]:
    """A limit for the commands of the block; None where neither systemd nor control groups give one.

    Pages that are mapped from files count too, but the kernel drops those when it needs to; swap is
    not used instead where the kernel can be told so.
    """
    if _systemd_runs():
        size = f"MemoryMax={megabytes}M"
        command = ("systemd-run", "--scope", "--quiet", "-p", size, "-p", "MemorySwapMax=0")
        yield Limit(command, "systemd-run --scope")
        return
    version2 = (GROUPS / "cgroup.controllers").exists()
    group = (GROUPS if version2 else GROUPS / "memory") / f"triptych-benchmark-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.max" if version2 else "memory.limit_in_bytes")).write_text(str(megabytes * 2**20))
        swap = group / ("memory.swap.max" if version2 else "memory.swappiness")
        if swap.exists():
            swap.write_text("0")
    except OSError:
        _remove(group)
        yield None
        return
    try:
        members = group / "cgroup.procs"
        yield Limit(("sh", "-c", ENTER, str(members)), f"a memory control group, version {1 + version2}")
    finally:
        _remove(group)


def _systemd_runs() -> bool:
    if shutil.which("systemd-run") is None:
        return False
    tried = subprocess.run(["systemd-run", "--scope", "--quiet", "true"], capture_output=True, check=False)
    return tried.returncode == 0


def _remove(group: Path) -> None:
    if group.is_dir():
        group.rmdir()
