"""Keys as they are kept: a name, a digest, and what its holder may do.

A key is 256 random bits, which nobody can guess or try through: a slow hash, as passwords need one, would
cost each request time and add nothing. So SHA-256 is kept, from which the key cannot be had back.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace

PREFIX = "triptych_"
"""By which programs that look for secrets in files and logs know one."""
TOKEN_BYTES = 32
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
LIMIT = re.compile(r"(rate|concurrency|jobs)=([1-9]\d{0,5})")
SHAPE = "NAME sha256:… of 64 hexadecimal digits, then rate=, concurrency= and jobs= where they differ"


@dataclass(frozen=True)
class Limits:
    """Requests for pictures a minute (`rate`) and at a time (`concurrency`), and `jobs` that wait or run."""

    rate: int
    concurrency: int
    jobs: int


@dataclass(frozen=True)
class Key:
    """One line of the file. Lines of the same name are one client, so that a key can be changed for another
    without a gap."""

    name: str
    digest: bytes
    limits: Limits


def new_token() -> str:
    """A key that nobody has yet."""
    return PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def line_of(name: str, token: str, **limits: int | None) -> str:
    """The line that stands for the key; limits that are None are left to the settings."""
    given = [f"{limit}={number}" for limit, number in limits.items() if number is not None]
    return " ".join([name, f"sha256:{digest_of(token).hex()}", *given])


def read_keys(text: str, variable: str, defaults: Limits) -> Iterator[Key]:
    """The keys of these lines; `;` separates as the end of a line does, and # begins a comment.

    ValueError, with a sentence that names the variable and the line, where one is no key.
    """
    for number, line in enumerate(re.split(r"[\n;]", text), 1):
        words = line.partition("#")[0].split()
        if words:
            yield _read(words, f"{variable}, line {number}", defaults)


def _read(words: list[str], where: str, defaults: Limits) -> Key:
    name, *rest = words
    digest = DIGEST.fullmatch(rest[0]) if rest else None
    limits = [LIMIT.fullmatch(word) for word in rest[1:]]
    if not NAME.fullmatch(name) or digest is None or not all(limits):
        # What stands there is not repeated: it may be a key that was put in the place of its digest.
        raise ValueError(f"{where} must be {SHAPE}; python -m gateway.keys new NAME writes one.")
    chosen = {limit[1]: int(limit[2]) for limit in limits if limit}
    return Key(name, bytes.fromhex(digest[1]), replace(defaults, **chosen))
