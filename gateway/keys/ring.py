"""The keys that count now."""

import base64
import binascii
import hmac
import logging
import os

from .key import Key, digest_of
from .settings import KeySettings

logger = logging.getLogger(__name__)

Stamp = tuple[int, int, int] | None


class KeyRing:
    """Reads the file again when it has changed. One that cannot be read, or has a line that is no key, leaves
    the keys as they were, and the log says so; one that has become empty lets nobody in."""

    def __init__(self, settings: KeySettings) -> None:
        self._settings = settings
        self._stamp = self._stamp_now()
        self._keys = settings.listed_keys()

    @property
    def is_used(self) -> bool:
        """Whether a request must have a key."""
        return self._settings.needs_keys

    def find(self, token: str) -> Key | None:
        """The key that the token is; it takes as long for one that is none."""
        self._read_again()
        digest, found = digest_of(token), None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def _read_again(self) -> None:
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = self._settings.listed_keys()
        except ValueError as error:
            logger.error("The keys stay as they were: %s", error)
        else:
            logger.info("%d keys were read anew", len(self._keys))

    def _stamp_now(self) -> Stamp:
        """What changes with the file; None where there is none."""
        path = self._settings.gateway_keys_file
        if not path:
            return None
        try:
            status = os.stat(path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def token_of(authorization: str) -> str | None:
    """The key in an `Authorization` header: as a bearer token, or as the password of any user; None where
    there is neither."""
    scheme, _, credentials = authorization.strip().partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "bearer":
        return credentials or None
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(credentials, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
    return pair.partition(":")[2] or None
