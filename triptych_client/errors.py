"""What can go wrong, and the exit status of each.

    ClientError
    ├── Refused       1  the gateway refused the request: something in it must be changed
    ├── BadUsage      2  the command line, or a file that it names; nothing was sent
    └── Failed        3  no gateway answers, or it is not ready in time, or it could not make the picture

Interrupted with Ctrl+C the status is 130, and the gateway gives the picture up.
"""

from typing import Any

INTERRUPTED = 130
UNAUTHORIZED = 401


class ClientError(Exception):
    """`details` is the gateway's own account of it, where it gave one."""

    status = 3

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details = details or {}


class Refused(ClientError):
    status = 1


class BadUsage(ClientError):
    status = 2


class Failed(ClientError):
    status = 3


def from_answer(status: int, body: dict[str, Any]) -> ClientError:
    """What the gateway's error is: the request's fault, or not. What has no message is no gateway's."""
    error = body.get("error")
    details = error if isinstance(error, dict) else {}
    said = f"The gateway answered {status}: {details.get('message') or str(body)[:300]}"
    if status == UNAUTHORIZED:
        said += " Here it is --key, or TRIPTYCH_KEY."
    is_refusal = "message" in details and 400 <= status < 500 and status not in (408, 429)
    return (Refused if is_refusal else Failed)(said, details)
