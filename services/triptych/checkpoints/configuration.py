"""The JSON files that stand beside weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .source import CheckpointError

MAX_BYTES = 16 * 2**20


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file, empty if the file is not there.

    Raises CheckpointError if it is something else.
    """
    if not path.is_file():
        return {}
    if path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{path} is larger than {MAX_BYTES} bytes: it is no configuration")
    return parse_object(path.read_bytes(), str(path))


def parse_object(text: bytes | str, title: str) -> dict[str, Any]:
    """The JSON object in a text called `title`. Raises CheckpointError if it is something else."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{title} is damaged: it is no JSON ({error})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{title} is damaged: it holds a {type(content).__name__}, not a JSON object")
    return content
