"""The sha256 of large files, computed once: it is written down with the file's size and time."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .selection import weights_dir

Progress = Callable[[float], None]
CHUNK = 16 * 2**20


def digest(path: Path, progress: Progress = lambda _: None) -> str:
    """The file's sha256 in hexadecimal digits, as it was noted or computed now."""
    known = _read(_note(path))
    if known and known.items() >= _seen(path).items():
        return str(known["sha256"])
    sha256 = compute(path, progress)
    remember(path, sha256)
    return sha256


def compute(path: Path, progress: Progress) -> str:
    """The file's sha256 from its bytes; `progress` gets the share of them that is read."""
    sha256 = hashlib.sha256()
    size = path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
            progress(file.tell() / size)
    return sha256.hexdigest()


def code_digest() -> str:
    """The sha256 of this library's own source: what was made by other code is not to be trusted."""
    sha256 = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        sha256.update(path.read_bytes())
    return sha256.hexdigest()


def remember(path: Path, sha256: str) -> None:
    """Note it in WEIGHTS_DIR, where that can be written: otherwise it is computed again the next time."""
    note = _note(path)
    partial = note.with_suffix(".partial")
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(_seen(path) | {"sha256": sha256}))
        partial.replace(note)


def _seen(path: Path) -> dict[str, object]:
    stat = path.stat()
    return {"path": str(path.resolve()), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _note(path: Path) -> Path:
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
    return weights_dir() / ".digests" / f"{name[:32]}.json"


def _read(note: Path) -> dict[str, object]:
    try:
        content = json.loads(note.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and "sha256" in content else {}
