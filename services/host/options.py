"""What the host itself reads of a request: how it is to be followed, and whether it outlives its client."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from triptych.wire import InvalidField, describe

JOB_ID = re.compile(r"[\w.:-]{1,128}")
CANCEL, KEEP = "cancel", "keep"
MAX_EVERY = 1000


@dataclass(frozen=True)
class Options:
    """Read for handlers that start requests; for the others these fields mean nothing, as any other."""

    job_id: str | None = None
    kept: bool = False
    """Whether it goes on when its client has gone away."""
    preview_every: int = 0
    """Steps from one `preview` event to the next; 0 for none."""
    state_every: int = 0
    """Steps from one `state` event to the next; 0 for none."""

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """The options in a request; raises InvalidField."""
        return cls(
            _job_id(data.get("job_id")),
            _kept(data.get("on_disconnect", CANCEL)),
            _steps("preview_every", data.get("preview_every", 0)),
            _steps("state_every", data.get("state_every", 0)),
        )


def _job_id(value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and JOB_ID.fullmatch(value)):
        must = "1 to 128 letters, digits and the characters _ . : -"
        raise InvalidField("job_id", must, describe(value))
    return value


def _kept(value: object) -> bool:
    if value not in (CANCEL, KEEP):
        raise InvalidField("on_disconnect", f"{CANCEL} or {KEEP}", describe(value))
    return value == KEEP


def _steps(field: str, value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_EVERY:
        raise InvalidField(field, f"a whole number from 0 to {MAX_EVERY}", describe(value))
    return value
