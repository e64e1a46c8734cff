"""Latents that were made lately, by what they were made of."""

import threading
from collections import OrderedDict

from ..samplers import Latent

MAX_BYTES = 64 * 2**20


class KeptLatents:
    """At most so many bytes of them; those asked for longest ago go first. For any thread."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._latents: OrderedDict[bytes, Latent] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: bytes) -> Latent | None:
        """The latent of the order with this digest."""
        with self._lock:
            if digest in self._latents:
                self._latents.move_to_end(digest)
            return self._latents.get(digest)

    def put(self, digest: bytes, latent: Latent) -> None:
        """Keep this one."""
        with self._lock:
            before = self._latents.pop(digest, None)
            self._latents[digest] = latent
            self._bytes += latent.nbytes - (0 if before is None else before.nbytes)
            while self._bytes > self._max_bytes:
                self._bytes -= self._latents.popitem(last=False)[1].nbytes
