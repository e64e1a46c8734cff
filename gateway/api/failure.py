"""What every dialect's errors are made of."""

import re
from collections.abc import Callable, Mapping

from fastapi.responses import JSONResponse
from pydantic import BaseModel


class ErrorFields(BaseModel):
    """What went wrong, where, and what to do about it."""

    type: str
    message: str
    field: str | None = None
    stage: str | None = None
    replica: str | None = None
    request_id: str

    def renamed(self, names: Mapping[str, str]) -> "ErrorFields":
        """With the fields of a request called as a dialect calls them."""
        field = names.get(self.field, self.field) if self.field else None
        return self.model_copy(update={"field": field, "message": rename(self.message, names)})


Shape = Callable[[int, ErrorFields, dict[str, str]], JSONResponse]
"""Makes a dialect's answer of a status, what went wrong, and headers."""


def rename(text: str, names: Mapping[str, str]) -> str:
    """The sentences, about the fields of a request, with a dialect's own names of these."""
    subjects = r"\b(" + "|".join(names) + r")(?= (?:must|was sent)\b)"
    return re.sub(subjects, lambda match: names[match[1]], text) if names else text


def header_text(text: str) -> str:
    """The text in one line of ASCII."""
    return " ".join(text.split()).encode("ascii", "replace").decode()
