"""Every way in which a replica lets a request down, as an error that says what was tried and what to do."""

import json
import re

from .errors import (
    GatewayError,
    InvalidRequest,
    Origin,
    Overloaded,
    StageFailed,
    StageTimeout,
    StageUnavailable,
)
from .places import Place, is_hugging_face
from .verdicts import (
    BUSY,
    DOWN,
    FAILED,
    LATE,
    LOST,
    MISPLACED,
    PAUSED,
    REFUSED,
    UNAUTHORIZED,
    WAKING,
    Verdict,
)

RETRY_AFTER = 5
SHOWN_CHARACTERS = 300
PLATFORM_CODES = ("SERVICE_UNAVAILABLE", "BAD_GATEWAY")
"""What Hugging Face's proxy says for an endpoint that is asleep or starting."""
PROMPTED_STAGES = ("text_encoder", "all_in_one")
FAILED_TO_LOAD = "failed to load"
"""What ours say where they do not start."""
CANCELLED = 499
"""What a stage says of a request that somebody cancelled."""
LACKED = {
    "task": "encodes images",
    "strength": "starts from a picture",
    "soft_mask": "takes masks of greys",
}
"""What a stage with the extra does."""
GATEWAY_FIELDS = {
    "inputs": "prompt",
    "batch_size": "num_images",
    "num_steps": "steps",
    "unconditional_guidance_scale": "guidance_scale",
    "height": "size",
    "width": "size",
}
"""What the gateway's request calls a field of the stage contract."""


class Faults:
    """The errors of one replica."""

    def __init__(self, place: Place, url: str) -> None:
        self._stage = place.stage
        self._url = url
        self._on_hugging_face = is_hugging_face(place.url)
        self._origin = Origin(place.stage, url)
        self._url_variable = place.variable
        self._token_variable = place.token_variable

    def failed(self, what: str, todo: str, request: str = "POST", verdict: Verdict = FAILED) -> StageFailed:
        """The replica answered, and the answer is of no use."""
        return StageFailed(self._say(request, what, todo), origin=self._origin, verdict=verdict)

    def late(self, request: str, seconds: float, todo: str) -> StageTimeout:
        """Nothing came in time."""
        what = f"did not answer within {round(seconds, 1):g} s"
        return StageTimeout(self._say(request, what, todo), origin=self._origin, verdict=LATE)

    def unreachable(self, request: str, error: Exception) -> StageUnavailable:
        """There is no connection."""
        what = f"could not be reached: {_reason(error)}"
        return self._unavailable(request, what, f"Start it, or set {self._url_variable} to where it runs")

    def asleep(self, seconds: float) -> StageUnavailable:
        """It did not wake."""
        what = f"did not wake within {seconds:g} s"
        todo = "Look at the endpoint's page for why, or raise WAKE_TIMEOUT"
        return self._unavailable("GET /health", what, todo, LATE)

    def stopped(self, request: str, body: bytes) -> StageUnavailable:
        """It was told to stop in the middle of the answer."""
        return self._unavailable(request, f"stopped midway: {error_text(body)}", "Start it again", LOST)

    def broken_off(self, request: str, error: Exception) -> StageFailed:
        """The connection ended before the answer did."""
        todo = "It may have been restarted, hang, or have run out of memory: look at its log, then try again"
        return self.failed(f"broke off: {_reason(error)}", todo, request, LOST)

    def cut(self, request: str, seconds: float, how: str) -> StageTimeout:
        """Something in between ended the call after a long silence."""
        what = f"was silent for {seconds:.0f} s, then the call was ended: {how}"
        todo = (
            "A proxy in between gives up after that long: ask for fewer steps or images, use a faster "
            f"machine, or set {self._url_variable} to an address without the proxy"
        )
        return StageTimeout(self._say(request, what, todo), origin=self._origin, verdict=FAILED)

    def too_long(self, request: str, limit: int) -> StageFailed:
        """The answer is longer than is read."""
        todo = "Ask for fewer images, or raise STAGE_ANSWER_BYTES"
        return self.failed(f"answered more than {limit} bytes", todo, request)

    def unusable(self, error: ValueError) -> StageFailed:
        """The answer is not as it must be."""
        return self.failed(f"answered what cannot be used: {error}", "Look at its log")

    def not_json(self, body: bytes) -> StageFailed:
        """The answer is not JSON."""
        todo = f"Check that {self._url_variable} is the address of the {self._stage} stage"
        return self.failed(f"answered something that is not JSON: {_shown(body)!r}", todo)

    def another_stage(self, name: str) -> StageFailed:
        """The address is that of another stage."""
        todo = f"Set {self._url_variable} to the address of the {self._stage} stage"
        return self.failed(f"says that it is the {name} stage", todo, "GET /info", MISPLACED)

    def lacks(self, extra: str) -> StageUnavailable:
        """It does not announce what a request cannot do without."""
        what = f"does not announce that it {LACKED[extra]} (the extra {extra}), as a plain endpoint cannot"
        todo = f"Set {self._url_variable} to the {self._stage} stage of this project"
        return StageUnavailable(self._say("GET /info", what, todo), origin=self._origin, verdict=FAILED)

    def status(self, request: str, status: int, body: bytes, retry_after: str) -> GatewayError:
        """The answer has a status other than 200; with a plain endpoint, 400 stands for any fault."""
        said = error_text(body)
        if status == 422:
            return self._refused(said)
        kind, verdict, todo = self._meaning(status, said, body)
        seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else RETRY_AFTER
        return kind(
            self._say(request, f"answered {status}: {said}", todo),
            origin=self._origin,
            retry_after=seconds if kind in (Overloaded, StageUnavailable) else None,
            verdict=verdict,
        )

    def _meaning(self, status: int, said: str, body: bytes) -> tuple[type[GatewayError], Verdict, str]:
        """Which error it is, what follows, and what to do."""
        if status == 400 and "paused" in said.lower():
            return StageUnavailable, PAUSED, "Resume the endpoint, it does not wake by itself"
        if status == 400:
            return (
                StageFailed,
                FAILED,
                "Look at its log: an endpoint says 400 to whatever its handler failed at, out of memory too",
            )
        if status in (401, 403):
            return StageUnavailable, UNAUTHORIZED, f"Set {self._token_variable} to a token that it takes"
        if status in (502, 503):
            verdict = WAKING if self._on_hugging_face or _is_platforms(body) else DOWN
            if FAILED_TO_LOAD in said:
                return StageUnavailable, verdict, "Put right what it names, or look at its log"
            return StageUnavailable, verdict, "It is starting or asleep: try again in a minute"
        if status == 504:
            return StageTimeout, DOWN, "Ask for fewer images or steps"
        if status == 429:
            return Overloaded, BUSY, "Try again later"
        if status == CANCELLED:
            return StageFailed, REFUSED, "Somebody cancelled it there: ask again if it is still wanted"
        if 300 <= status < 400:
            todo = f"Redirects are not followed: set {self._url_variable} to where the stage really is"
            return StageFailed, MISPLACED, todo
        if status in (404, 405):
            todo = f"Set {self._url_variable} to the address that takes the stage's POST"
            return StageFailed, MISPLACED, todo
        return StageFailed, FAILED, "Look at its log"

    def _unavailable(self, request: str, what: str, todo: str, verdict: Verdict = DOWN) -> StageUnavailable:
        return StageUnavailable(
            self._say(request, what, todo), origin=self._origin, retry_after=RETRY_AFTER, verdict=verdict
        )

    def _refused(self, said: str) -> GatewayError:
        """Ours answer 422 for what the user sent, except where it is about another stage's tensors."""
        if said.startswith("inputs") and self._stage not in PROMPTED_STAGES:
            todo = "Look at the logs; if they run different models, give both the same SD_VERSION and MODEL"
            return self.failed(f"refused what the stage before it made: {said}", todo)
        match = re.match(r"(\w+) must be ", said)
        field = GATEWAY_FIELDS.get(match[1], match[1]) if match else None
        message = f"{field}{said[match.end(1) :]}" if match else said
        return InvalidRequest(f"{message}.", field=field, origin=self._origin)

    def _say(self, request: str, what: str, todo: str) -> str:
        method, _, path = request.partition(" ")
        return f"The {self._stage} stage was asked ({method} {self._url}{path}) and {what}. {todo}."


def error_text(body: bytes) -> str:
    """The sentence in an error answer of a stage, or the answer's beginning where it has none."""
    try:
        said = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return _shown(body) or "nothing"
    return str(said)[:SHOWN_CHARACTERS].rstrip(".")


def _is_platforms(body: bytes) -> bool:
    """Whether this is the answer of Hugging Face's proxy, wherever the endpoint's address is."""
    try:
        return json.loads(body)["code"] in PLATFORM_CODES
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _shown(body: bytes) -> str:
    return body[:SHOWN_CHARACTERS].decode("utf-8", "replace").strip()
