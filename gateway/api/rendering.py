"""Errors: one table of statuses for all, and a shape for each dialect, which the path tells."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ..errors import STATUS, GatewayError, Unauthorized
from .a1111 import errors as a1111
from .failure import ErrorFields, Shape
from .huggingface import errors as huggingface
from .openai import errors as openai

RETRY_AFTER = 10

logger = logging.getLogger(__name__)


class ErrorBody(BaseModel):
    error: ErrorFields


SHAPES: dict[str, Shape] = {
    "/v1/images": openai.render,
    "/v1/models": openai.render,
    "/sdapi": a1111.render,
    "/queue": a1111.render,
    "/hf/all-in-one": huggingface.render_contract,
    "/hf": huggingface.render,
}
"""By the first part of a path; every other is the native dialect's."""
BEARER, BASIC = 'Bearer realm="triptych"', 'Basic realm="triptych", charset="UTF-8"'
"""How a key is sent. Browsers would ask for a name and a password where the studio asks for the key, so
Basic is said to the clients of AUTOMATIC1111 alone, who send nothing else."""


def error_responses(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The errors of the tree in a dialect's shape, for the OpenAPI of the routes that may raise them."""
    return {status: {"model": model, "description": error.__name__} for error, status in STATUS.items()}


ERROR_RESPONSES = error_responses(ErrorBody)


def render_error(error: GatewayError, request_id: str, path: str = "") -> JSONResponse:
    """The error with its status from the one table, and Retry-After where it carries one."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = BASIC if _shape(path) is a1111.render else BEARER
    return _response(STATUS[type(error)], _error_fields(error, request_id), headers, path)


def render_failure(error: Exception, request_id: str, path: str = "") -> JSONResponse:
    """Of whatever was raised; what is no error of the tree is logged, as a fault of the gateway's own."""
    if isinstance(error, GatewayError):
        return render_error(error, request_id, path)
    logger.error("A fault of the gateway's own", exc_info=error, extra={"request_id": request_id})
    return internal_error(request_id, path)


def _error_fields(error: GatewayError, request_id: str) -> ErrorFields:
    return ErrorFields(
        type=type(error).__name__,
        message=error.message,
        field=error.field,
        stage=error.origin.stage if error.origin else None,
        replica=error.origin.replica if error.origin else None,
        request_id=request_id,
    )


def route_error(
    status: int, method: str, path: str, request_id: str, headers: dict[str, str], detail: str = ""
) -> JSONResponse:
    """What the router refuses by itself, a path or a method that no route has, or a route with a `detail`."""
    allowed = f" It takes {headers['Allow']}." if "Allow" in headers else ""
    kind, said = {
        404: ("NotFound", f"There is no {path} here."),
        405: ("MethodNotAllowed", f"{path} does not take {method}.{allowed}"),
    }.get(status, ("HttpError", f"{method} {path} was refused."))
    message = f"{said} The routes are described at /docs."
    if detail not in ("", HTTPStatus(status).phrase):
        message = detail
    return _response(status, ErrorFields(type=kind, message=message, request_id=request_id), headers, path)


def internal_error(request_id: str, path: str = "") -> JSONResponse:
    """A fault of the gateway's own."""
    said = f"The gateway made a mistake. Its log has the details under the request id {request_id}."
    return _response(500, ErrorFields(type="InternalError", message=said, request_id=request_id), {}, path)


def stopping(request_id: str, path: str = "") -> JSONResponse:
    """The server stops and waits no longer for this request."""
    said = "The gateway was stopped before this was done. Try again when it is back."
    fields = ErrorFields(type="Stopping", message=said, request_id=request_id)
    return _response(503, fields, {"Retry-After": str(RETRY_AFTER)}, path)


def _response(status: int, fields: ErrorFields, headers: dict[str, str], path: str) -> JSONResponse:
    return _shape(path)(status, fields, headers)


def _shape(path: str) -> Shape:
    found = (shape for start, shape in SHAPES.items() if path == start or path.startswith(f"{start}/"))
    return next(found, _native)


def _native(status: int, fields: ErrorFields, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse(ErrorBody(error=fields).model_dump(), status, headers)
