"""Server-sent events, as the gateway writes them: a name and one line of JSON each."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class Event(NamedTuple):
    name: str
    data: dict[str, Any]


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a stream's lines, as they come; one that is broken off is left out."""
    name, data = "message", ""
    for line in lines:
        field, _, value = line.partition(":")
        if field == "event":
            name = value.strip()
        elif field == "data":
            data += value
        elif not line and data:
            yield Event(name, json.loads(data))
            name, data = "message", ""
