"""Durations in the form of the `Server-Timing` header (W3C Server Timing)."""

import math
import re

ENTRY = re.compile(r"""([\w!#$%&'*+.^`|~-]+)((?:;[\w-]+=(?:"[^"]*"|[^;,"]*))*)(?:,|$)""")
PARAMETER = re.compile(r""";([\w-]+)=(?:"([^"]*)"|([^;,"]*))""")
MOST_CHARACTERS = 1000


def durations(header: str) -> dict[str, float]:
    """Seconds by name; entries without a duration, or with one that makes no sense, are left out."""
    found: dict[str, float] = {}
    for name, parameters in ENTRY.findall("".join(header[:MOST_CHARACTERS].split())):
        values = {key.lower(): quoted or plain for key, quoted, plain in PARAMETER.findall(parameters)}
        seconds = _seconds(values.get("dur", ""))
        if seconds is not None:
            found[name] = seconds
    return found


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
