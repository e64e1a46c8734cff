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

RETRY_AFTER = 5
SHOWN_CHARACTERS = 300
PROMPTED_STAGES = ("text_encoder", "all_in_one")
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

    def __init__(self, stage: str, url: str) -> None:
        self._stage = stage
        self._url = url
        self._origin = Origin(stage, url)
        self._url_variable = f"{stage.upper()}_URL"
        self._token_variable = f"{stage.upper()}_TOKEN"

    def failed(self, what: str, todo: str, request: str = "POST") -> StageFailed:
        """The replica answered, and the answer is of no use."""
        return StageFailed(self._say(request, what, todo), origin=self._origin)

    def late(self, request: str, seconds: float, todo: str) -> StageTimeout:
        """Nothing came in time."""
        what = f"did not answer within {seconds:g} s"
        return StageTimeout(self._say(request, what, todo), origin=self._origin)

    def unreachable(self, request: str, error: Exception) -> StageUnavailable:
        """There is no connection."""
        what = f"could not be reached: {_reason(error)}"
        todo = f"Start it, or set {self._url_variable} to where it runs"
        return StageUnavailable(self._say(request, what, todo), origin=self._origin, retry_after=RETRY_AFTER)

    def broken_off(self, request: str, error: Exception) -> StageFailed:
        """The connection ended before the answer did."""
        todo = "It may have been restarted or run out of memory: look at its log, then try again"
        return self.failed(f"broke off: {_reason(error)}", todo, request)

    def too_long(self, request: str, limit: int) -> StageFailed:
        """The answer is longer than is read."""
        todo = "Ask for fewer images, or raise STAGE_ANSWER_BYTES"
        return self.failed(f"answered more than {limit} bytes", todo, request)

    def not_json(self, body: bytes) -> StageFailed:
        """The answer is not JSON."""
        todo = f"Check that {self._url_variable} is the address of a {self._stage} stage"
        return self.failed(f"answered something that is not JSON: {_shown(body)!r}", todo)

    def another_stage(self, name: str) -> StageFailed:
        """The address is that of another stage."""
        todo = f"Set {self._url_variable} to the address of the {self._stage} stage"
        return self.failed(f"says that it is the {name} stage", todo, "GET /info")

    def status(self, request: str, status: int, body: bytes, retry_after: str) -> GatewayError:
        """The answer has a status other than 200; with a plain endpoint, 400 stands for any fault."""
        said = error_text(body)
        if status == 422:
            return self._refused(said)
        kind, todo = self._meaning(status, said)
        seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else RETRY_AFTER
        return kind(
            self._say(request, f"answered {status}: {said}", todo),
            origin=self._origin,
            retry_after=seconds if kind in (Overloaded, StageUnavailable) else None,
        )

    def _meaning(self, status: int, said: str) -> tuple[type[GatewayError], str]:
        """Which error it is, and what to do."""
        if status == 400 and "paused" in said.lower():
            return StageUnavailable, "Resume the endpoint, it does not wake by itself"
        if status in (401, 403):
            return StageUnavailable, f"Set {self._token_variable} to a token that it takes"
        if status in (502, 503):
            return StageUnavailable, "It is starting or asleep: try again in a minute"
        if status == 504:
            return StageTimeout, "Ask for fewer images or steps"
        if status == 429:
            return Overloaded, "Try again later"
        if 300 <= status < 400:
            return (
                StageFailed,
                f"Redirects are not followed: set {self._url_variable} to where the stage really is",
            )
        if status in (404, 405):
            return StageFailed, f"Set {self._url_variable} to the address that takes the stage's POST"
        return StageFailed, "Look at its log"

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
    except (ValueError, TypeError, KeyError):
        return _shown(body) or "nothing"
    return str(said)[:SHOWN_CHARACTERS].rstrip(".")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _shown(body: bytes) -> str:
    return body[:SHOWN_CHARACTERS].decode("utf-8", "replace").strip()
