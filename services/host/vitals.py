"""How the process is: its memory, and how much of it there may be."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup/memory.max")
STATM = Path("/proc/self/statm")


def memory_used() -> int | None:
    """Bytes that the process holds; None where the system does not say."""
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def memory_limit() -> int | None:
    """Bytes that its container, or else the machine, has; None where the system does not say."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        limit = CGROUP.read_text().strip()
    except FileNotFoundError:
        return machine
    except (OSError, ValueError):
        return None
    return min(machine, int(limit)) if limit.isdigit() else machine
