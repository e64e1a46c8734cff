"""Durations in the form of the `Server-Timing` header (W3C Server Timing)."""

import math
import re
from collections.abc import Iterator

ENTRY = re.compile(r"""([\w!#$%&'*+.^`|~-]+)((?:;[\w-]+=(?:"[^"]*"|[^;,"]*))*)(?:,|$)""")
PARAMETER = re.compile(r""";([\w-]+)=(?:"([^"]*)"|([^;,"]*))""")
COUNT = re.compile("[0-9]{1,9}")
MOST_CHARACTERS = 1000


def durations(header: str) -> dict[str, float]:
    """Seconds by name; entries without a duration, or with one that makes no sense, are left out."""
    seconds = {name: _seconds(values.get("dur", "")) for name, values in _entries(header)}
    return {name: value for name, value in seconds.items() if value is not None}


def counts(header: str, entry: str) -> dict[str, int]:
    """What else the entry of this name says in whole numbers, by its parameters' names in lower case."""
    said = [values for name, values in _entries(header) if name == entry]
    return {key: int(text) for values in said for key, text in values.items() if COUNT.fullmatch(text)}


def _entries(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    for name, parameters in ENTRY.findall("".join(header[:MOST_CHARACTERS].split())):
        yield name, {key.lower(): quoted or plain for key, quoted, plain in PARAMETER.findall(parameters)}


def _seconds(milliseconds: str) -> float | None:
    try:
        seconds = float(milliseconds) / 1000
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def entry(name: str, seconds: float, **parameters: str | int | float | None) -> str:
    """One entry of the header; numbers of seconds among the parameters are written in milliseconds.

    Browsers read `dur` and `desc` and skip the others, as the specification has it.
    """
    said = [f"{key}={_text(value)}" for key, value in parameters.items() if value is not None]
    return ";".join([name, f"dur={seconds * 1000:.1f}", *said])


def _text(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value * 1000:.1f}"
    return f'"{value}"' if isinstance(value, str) else str(value)
