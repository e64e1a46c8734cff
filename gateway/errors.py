"""Every way in which the gateway says no.

    GatewayError
    ├── InvalidRequest         422  the request names something the gateway cannot take
    ├── Unauthorized           401  it came without a key, or with one that the gateway does not know
    ├── NotFound               404  what it names is not here, or no longer
    ├── Conflict               409  what it names is not in a state for that
    ├── RequestTooSlow         408  the body did not arrive in time
    ├── RequestTooLarge        413  the body is longer than the gateway reads
    ├── UnsupportedMedia       415  the body is of a type the route does not read
    ├── NotAcceptable          406  `Accept` names nothing that the route can answer with
    ├── LimitReached           429  the key that it came with has had what it may; carries Retry-After
    ├── Overloaded             429  too much is under way, here or in a stage; carries Retry-After
    ├── StoreUnavailable       503  the jobs cannot be reached, where gateways share them; carries Retry-After
    └── StageError                  a stage did not do its part; names stage and replica
        ├── StageFailed        502  it answered, and the answer is an error or is not usable
        ├── StageUnavailable   503  it cannot be reached, is starting, asleep, paused or switched off
        └── StageTimeout       504  it did not answer in time

Each message says what was tried and what the reader can do about it. The dialects only render them.
"""

from dataclasses import dataclass

from .verdicts import REFUSED, Verdict


@dataclass(frozen=True)
class Origin:
    """Which replica of which stage an error is about; `replica` is None where none was asked."""

    stage: str
    replica: str | None


class GatewayError(Exception):
    """The root of the tree; `message` is one or more sentences for the reader of the answer."""

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        origin: Origin | None = None,
        retry_after: int | None = None,
        verdict: Verdict = REFUSED,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.origin = origin
        self.retry_after = retry_after
        self.verdict = verdict


class InvalidRequest(GatewayError):
    """`field` names the field, the message says what it must be and what came."""


class Unauthorized(GatewayError):
    """The message says how a key is sent."""


class NotFound(GatewayError):
    """The message says what there is instead, or where it went."""


class Conflict(GatewayError):
    """The message says in which state it is."""


class RequestTooSlow(GatewayError):
    """The message names the seconds that the gateway waits for a body."""


class RequestTooLarge(GatewayError):
    """The message names the limit in bytes and the variable that sets it."""


class UnsupportedMedia(GatewayError):
    """The message names the types that the route reads."""


class NotAcceptable(GatewayError):
    """The message names the types that the route answers with."""


class LimitReached(GatewayError):
    """The message names the key and its limit; `retry_after` is in whole seconds."""


class Overloaded(GatewayError):
    """`retry_after` is in whole seconds."""


class StoreUnavailable(GatewayError):
    """`retry_after` is in whole seconds."""


class StageError(GatewayError):
    """`origin` is always given."""


class StageFailed(StageError):
    """The message quotes what the stage answered."""


class StageUnavailable(StageError):
    """The message says how to bring the stage up, or where to point instead."""


class StageTimeout(StageError):
    """The message names the seconds."""


STATUS: dict[type[GatewayError], int] = {
    InvalidRequest: 422,
    Unauthorized: 401,
    NotFound: 404,
    Conflict: 409,
    RequestTooSlow: 408,
    RequestTooLarge: 413,
    UnsupportedMedia: 415,
    NotAcceptable: 406,
    LimitReached: 429,
    Overloaded: 429,
    StoreUnavailable: 503,
    StageFailed: 502,
    StageUnavailable: 503,
    StageTimeout: 504,
}
