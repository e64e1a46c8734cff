"""A line of the log, for programs or for people, with the ids of the request that it is about."""

import json
from typing import Any, Literal

from .tracing import ids

LogFormat = Literal["json", "text"]
HEAD = ("time", "level", "stage", "logger", "event", "message")


def log_line(fields: dict[str, Any], form: LogFormat) -> str:
    """The fields as JSON; or as text, what every line has first, a traceback below.

    An id among the fields goes before that of what is worked on.
    """
    line = {**fields, **{name: value for name, value in ids().items() if name not in fields}}
    if form == "json":
        return json.dumps(line, default=str)
    traceback = line.pop("traceback", None)
    head = [str(line.pop(name)) for name in HEAD if name in line]
    rest = [f"{name}={json.dumps(value, default=str)}" for name, value in line.items()]
    return " ".join([*head, *rest]) + (f"\n{traceback}" if traceback else "")
