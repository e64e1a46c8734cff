"""Errors as OpenAI's clients read them: by the status they choose a class, and show the message."""

import re

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ..failure import ErrorFields

NAMES = {"num_images": "n"}
"""What this dialect calls the fields of the native one."""
TYPES = {429: "rate_limit_error"}
CODES = {
    "model": "model_not_found",
    "Unauthorized": "invalid_api_key",
    "LimitReached": "rate_limit_exceeded",
}
"""By the field at fault, or by the kind of the error."""


class OpenAIErrorDetails(BaseModel):
    """What went wrong; `code` says it in one word, `param` is the field at fault."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIError(BaseModel):
    error: OpenAIErrorDetails


def error_body(status: int, fields: ErrorFields) -> OpenAIError:
    own = fields.renamed(NAMES)
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    code = CODES.get(own.field or own.type, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", own.type).lower())
    return OpenAIError(error=OpenAIErrorDetails(message=own.message, type=kind, param=own.field, code=code))


def render(status: int, fields: ErrorFields, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse(error_body(status, fields).model_dump(), status, headers)
