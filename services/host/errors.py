"""Every error that a request can end in, and the answer it gets: `{"error": "<a sentence>"}`.

HTTPException                 its own status: 404, 405, 406, 408, 409, 413, 415, 429, 503
triptych.wire.InvalidField    422  the request names something the handler cannot take
triptych.wire.Cancelled       499  somebody had the request cancelled
ClientDisconnect              499  nobody is there to read the answer; for the log and the metrics
HandlerFault                  500  the handler broke; `<Type>: <text>`, the traceback is in the log
"""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from triptych.wire import Cancelled, InvalidField

from .forms import JSON, to_json
from .worker import HandlerFault

CLIENT_GONE = 499
"""nginx's: the client closed the request."""


async def render(request: Request, error: Exception) -> Response:
    """The answer to a request that ended in `error`."""
    status, sentence = verdict(error)
    if isinstance(error, HTTPException) and sentence == HTTPStatus(status).phrase:
        sentence = _route_sentence(request, status) or sentence
    headers = error.headers if isinstance(error, HTTPException) else None
    return Response(to_json({"error": sentence}), status, headers, media_type=JSON)


def verdict(error: Exception) -> tuple[int, str]:
    """The error's status and sentence."""
    match error:
        case HTTPException():
            return error.status_code, error.detail
        case InvalidField():
            return HTTPStatus.UNPROCESSABLE_ENTITY, str(error)
        case Cancelled():
            return CLIENT_GONE, str(error)
        case ClientDisconnect():
            return CLIENT_GONE, "the client went away"
        case HandlerFault():
            return HTTPStatus.INTERNAL_SERVER_ERROR, str(error)
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR, f"the server failed: {type(error).__name__}"


ERRORS = (HTTPException, InvalidField, Cancelled, HandlerFault, ClientDisconnect, Exception)


def _route_sentence(request: Request, status: int) -> str | None:
    path = request.url.path[:200]
    return {
        HTTPStatus.NOT_FOUND: f"there is no {path}; POST / calls the handler",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{path} does not take {request.method}",
    }.get(HTTPStatus(status))
