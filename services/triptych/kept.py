"""Arrays that were made lately, by what they were made of."""

import threading
from collections import OrderedDict

from .evidence import UNSEEN, Evidence
from .wire import Array

MAX_BYTES = 64 * 2**20


class KeptArrays:
    """At most so many bytes of them; those asked for longest ago go first. For any thread.

    The evidence hears of every look, by the name of what is kept here.
    """

    def __init__(self, name: str = "", evidence: Evidence = UNSEEN, max_bytes: int = MAX_BYTES) -> None:
        self._name, self._evidence = name, evidence
        self._max_bytes = max_bytes
        self._bytes = 0
        self._arrays: OrderedDict[bytes, Array] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> Array | None:
        """The array that was made of what has this digest."""
        with self._lock:
            if digest in self._arrays:
                self._arrays.move_to_end(digest)
            found = self._arrays.get(digest)
        self._evidence.looked_up(self._name, found is not None)
        return found

    def put(self, digest: bytes, array: Array) -> None:
        """Keep this one; it must not be changed any more."""
        with self._lock:
            before = self._arrays.pop(digest, None)
            self._arrays[digest] = array
            self._bytes += array.nbytes - (0 if before is None else before.nbytes)
            while self._bytes > self._max_bytes:
                self._bytes -= self._arrays.popitem(last=False)[1].nbytes
