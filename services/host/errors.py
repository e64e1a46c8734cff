"""Every error that a request can end in, and the answer it gets: `{"error": "<a sentence>"}`.

HTTPException                 its own status: 404, 405, 408, 413, 415, 429, 503
triptych.wire.InvalidField    422  the request names something the handler cannot take
HandlerFault                  500  the handler broke; `<Type>: <text>`, the traceback is in the log
ClientDisconnect              499  nobody is there to read the answer; for the log and the metrics
"""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from triptych.wire import InvalidField

from .worker import HandlerFault, to_json

CLIENT_GONE = 499


async def render(request: Request, error: Exception) -> Response:
    """The answer to a request that ended in `error`."""
    match error:
        case HTTPException():
            return _answer(error.status_code, _sentence(request, error), error.headers)
        case InvalidField():
            return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        case ClientDisconnect():
            return _answer(CLIENT_GONE, "the client went away")
        case HandlerFault():
            return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        case _:
            return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"the server failed: {type(error).__name__}")


ERRORS = (HTTPException, InvalidField, HandlerFault, ClientDisconnect, Exception)


def _sentence(request: Request, error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return f"there is no {request.url.path[:200]}; POST / calls the handler"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.url.path[:200]} does not take {request.method}"
    return error.detail


def _answer(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json({"error": sentence}), status, headers, media_type="application/json")
