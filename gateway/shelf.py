"""Files that are kept for a while, for clients that ask for an address in the place of a picture."""

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass

KEPT_SECONDS = 3600
KEPT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Kept:
    """A file in memory, until a time of `time.monotonic`."""

    content: bytes
    media_type: str
    until: float


class Shelf:
    """The newest files, under names that cannot be guessed: `seconds` each, `size` bytes together."""

    def __init__(self, seconds: float = KEPT_SECONDS, size: int = KEPT_BYTES) -> None:
        self._seconds = seconds
        self._size = size
        self._files: OrderedDict[str, Kept] = OrderedDict()

    def put(self, content: bytes, media_type: str) -> str:
        """The file's name."""
        name = secrets.token_urlsafe(24)
        self._files[name] = Kept(content, media_type, time.monotonic() + self._seconds)
        self._tidy()
        return name

    def get(self, name: str) -> Kept | None:
        """None for a name that there is not, or not any more."""
        self._tidy()
        return self._files.get(name)

    def _tidy(self) -> None:
        now, size = time.monotonic(), sum(len(file.content) for file in self._files.values())
        for name, file in list(self._files.items()):
            if file.until > now and size <= self._size:
                return
            size -= len(file.content)
            del self._files[name]
