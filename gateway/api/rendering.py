"""Errors as the native routes render them: one shape for every kind."""

from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ..errors import STATUS, GatewayError

RETRY_AFTER = 10


class ErrorFields(BaseModel):
    """What went wrong, where, and what to do about it."""

    type: str
    message: str
    field: str | None = None
    stage: str | None = None
    replica: str | None = None
    request_id: str


class ErrorBody(BaseModel):
    error: ErrorFields


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": error.__name__} for error, status in STATUS.items()
}
"""The errors of the tree, for the OpenAPI of the routes that may raise them."""


def render_error(error: GatewayError, request_id: str) -> JSONResponse:
    """The error with its status from the one table, and Retry-After where it carries one."""
    fields = ErrorFields(
        type=type(error).__name__,
        message=error.message,
        field=error.field,
        stage=error.origin.stage if error.origin else None,
        replica=error.origin.replica if error.origin else None,
        request_id=request_id,
    )
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return _response(STATUS[type(error)], fields, headers)


def route_error(
    status: int, method: str, path: str, request_id: str, headers: dict[str, str]
) -> JSONResponse:
    """What the router refuses by itself: a path or a method that no route has."""
    allowed = f" It takes {headers['Allow']}." if "Allow" in headers else ""
    kind, said = {
        404: ("NotFound", f"There is no {path} here."),
        405: ("MethodNotAllowed", f"{path} does not take {method}.{allowed}"),
    }.get(status, ("HttpError", f"{method} {path} was refused."))
    message = f"{said} The routes are described at /docs."
    return _response(status, ErrorFields(type=kind, message=message, request_id=request_id), headers)


def internal_error(request_id: str) -> JSONResponse:
    """A fault of the gateway's own."""
    said = f"The gateway made a mistake. Its log has the details under the request id {request_id}."
    return _response(500, ErrorFields(type="InternalError", message=said, request_id=request_id), {})


def stopping(request_id: str) -> JSONResponse:
    """The server stops and waits no longer for this request."""
    said = "The gateway was stopped before this was done. Try again when it is back."
    fields = ErrorFields(type="Stopping", message=said, request_id=request_id)
    return _response(503, fields, {"Retry-After": str(RETRY_AFTER)})


def _response(status: int, fields: ErrorFields, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse(ErrorBody(error=fields).model_dump(), status, headers)
