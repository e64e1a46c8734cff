"""How much memory a call of the model takes, and when there is none left."""

import os
import re
import threading
from pathlib import Path

EXHAUSTED = re.compile(
    r"out of memory|RESOURCE_EXHAUSTED|ResourceExhausted|failed to allocate", re.IGNORECASE
)
"""As TensorFlow, JAX, PyTorch and OpenVINO say it."""
CGROUP = Path("/sys/fs/cgroup")
STATM = Path("/proc/self/statm")
PAGE = os.sysconf("SC_PAGE_SIZE")
MACHINE = Path("/proc/meminfo")
KIBIBYTE = 1024
LOOK_SECONDS = 0.005


def is_exhausted(error: BaseException) -> bool:
    """Whether the error is a backend's way to say that memory is full."""
    return isinstance(error, MemoryError) or bool(EXHAUSTED.search(f"{type(error).__name__}: {error}"[:2000]))


class Peak:
    """How many bytes more than at its beginning the process holds at most during the block.

    Looked up every few milliseconds, so that the kernel's own high-water mark is left to others.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(_resident(),), name="memory", daemon=True)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self, before: int) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self.bytes = max(self.bytes, _resident() - before)


def available() -> int | None:
    """Bytes that this process may still take of its container's limit and of the machine; None if unknown."""
    left = [bytes for bytes in (_machine(), _container()) if bytes is not None]
    return min(left, default=None)


def _machine() -> int | None:
    try:
        return _kibibytes(MACHINE.read_text(), "MemAvailable")
    except OSError:
        return None


def _container() -> int | None:
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(0, int(limit) - used)


def _resident() -> int:
    try:
        return int(STATM.read_text().split()[1]) * PAGE
    except OSError:  # not Linux
        return 0


def _kibibytes(text: str, field: str) -> int | None:
    found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * KIBIBYTE if found else None
