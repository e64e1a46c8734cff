"""One address of one stage, and how it is asked.

A container and a Hugging Face Endpoint are asked alike; they differ only in what they announce.
"""

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr, ValidationError

from .errors import GatewayError, StageTimeout, StageUnavailable
from .faults import Faults, error_text
from .info import Info, Readiness, State
from .metrics import Metrics
from .requests import StageCall
from .settings import is_hugging_face, without_userinfo

logger = logging.getLogger(__name__)

PLAIN_FACTOR = 10
"""A plain endpoint seldom becomes one of ours: it is asked so much more rarely whether it has `/info`."""
PROBE_SECONDS = 5.0
PROBE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Reply:
    """A stage's JSON value with the evidence of the call."""

    value: Any
    call: StageCall


@dataclass(frozen=True)
class CallLimits:
    """Seconds and bytes that one call may take, and seconds that an announcement counts."""

    seconds: float
    answer_bytes: int
    info_seconds: float


class Replica:
    """Asks one address. Raises only errors of the gateway's tree, each naming stage and address."""

    def __init__(
        self,
        stage: str,
        url: str,
        token: SecretStr | None,
        client: httpx.AsyncClient,
        metrics: Metrics,
        limits: CallLimits,
    ) -> None:
        self.url = without_userinfo(url)
        self.faults = Faults(stage, self.url)
        self._stage = stage
        self._address = url
        self._token = token
        self._client = client
        self._metrics = metrics
        self._limits = limits
        self._probe_seconds = min(PROBE_SECONDS, limits.seconds)
        self._info: Info | None = None
        self._info_expires = 0.0

    async def info(self) -> Info | None:
        """What the replica announces, None for a plain endpoint. Remembered for a while."""
        if time.monotonic() >= self._info_expires:
            await self._refresh()
        return self._info

    async def post(self, payload: dict[str, Any]) -> Reply:
        """Sends one request of the stage contract and reads the answer, within the timeout."""
        started = time.monotonic()
        body = json.dumps(payload).encode()
        received = b""
        try:
            response, received = await self._send(
                "POST", self._limits.seconds, self._limits.answer_bytes, body
            )
            return Reply(self._value(response, received), self._evidence(started, body, received))
        except GatewayError as error:
            self._info_expires = 0.0
            self._metrics.stage_error(self._stage, type(error).__name__)
            raise
        finally:
            call = self._evidence(started, body, received)
            self._metrics.stage_call(self._stage, call.seconds, call.bytes_sent, call.bytes_received)

    async def state(self) -> State:
        """Asks `/ready`, which ours have, else `/health`, which an endpoint's server has. Never raises."""
        if is_hugging_face(self._address):
            return State(self.url, "on demand")
        try:
            _, body = await self._send("GET /ready", self._probe_seconds, PROBE_BYTES)
            return self._own_state(body) or await self._plain_state()
        except (StageUnavailable, StageTimeout) as error:
            return State(self.url, "unreachable", error=error.message)
        except GatewayError as error:
            return State(self.url, "failed", error=error.message)

    def _own_state(self, body: bytes) -> State | None:
        """The `/ready` of ours; None where the answer is something else."""
        try:
            said = Readiness.model_validate_json(body)
        except ValidationError:
            return None
        if said.stage != self._stage:
            error = self.faults.another_stage(said.stage).message
            return State(self.url, "failed", error=error, endpoint="triptych")
        return State(self.url, said.state, said.progress, said.error, "triptych")

    async def _plain_state(self) -> State:
        response, body = await self._send("GET /health", self._probe_seconds, PROBE_BYTES)
        if response.status_code == 200:
            return State(self.url, "warm", endpoint="plain")
        state = "starting" if response.status_code in (502, 503) else "failed"
        error = f"GET /health answered {response.status_code}: {error_text(body)}"
        return State(self.url, state, error=error, endpoint="plain")

    async def _refresh(self) -> None:
        """A stage that is busy may answer late: then what it said before still counts."""
        try:
            info = await self._ask_info()
        except StageTimeout:
            if self._info is None:
                raise
            return
        if info is not None and info.stage != self._stage:
            raise self.faults.another_stage(info.stage)
        if self._info and info and info.model != self._info.model:
            logger.warning("%s at %s is now %s", self._stage, self.url, info.model)
        self._info = info
        lasts = self._limits.info_seconds * (PLAIN_FACTOR if info is None else 1)
        self._info_expires = time.monotonic() + lasts

    async def _ask_info(self) -> Info | None:
        response, body = await self._send("GET /info", self._probe_seconds, PROBE_BYTES)
        if response.status_code in (401, 403, 429, 502, 503, 504):
            raise self._fault("GET /info", response, body)
        if response.status_code != 200:
            return None
        try:
            return Info.model_validate_json(body)
        except ValidationError as error:
            logger.warning("%s at %s is taken for a plain endpoint: %s", self._stage, self.url, error)
            return None

    def _value(self, response: httpx.Response, body: bytes) -> Any:
        if response.status_code != 200:
            raise self._fault("POST", response, body)
        try:
            return json.loads(body)
        except ValueError:
            raise self.faults.not_json(body) from None

    def _fault(self, request: str, response: httpx.Response, body: bytes) -> GatewayError:
        retry_after = response.headers.get("retry-after", "")
        return self.faults.status(request, response.status_code, body, retry_after)

    async def _send(
        self, request: str, seconds: float, limit: int, body: bytes | None = None
    ) -> tuple[httpx.Response, bytes]:
        """The response and its body; `request` is a method, and a path below the address if there is one."""
        method, _, path = request.partition(" ")
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.stream(
                    method, self._address + path, content=body, headers=self._headers(body)
                ) as response,
            ):
                return response, await self._read(request, response, limit)
        except TimeoutError:
            todo = "Ask for fewer images or steps, or raise STAGE_TIMEOUT" if body else "Look at its log"
            raise self.faults.late(request, seconds, todo) from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self.faults.unreachable(request, error) from None
        except httpx.HTTPError as error:
            raise self.faults.broken_off(request, error) from None

    def _headers(self, body: bytes | None) -> dict[str, str]:
        """An endpoint's server looks the media types up exactly, and takes `*/*` for JSON."""
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return headers

    async def _read(self, request: str, response: httpx.Response, limit: int) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > limit:
                raise self.faults.too_long(request, limit)
        return bytes(body)

    def _evidence(self, started: float, sent: bytes, received: bytes) -> StageCall:
        seconds = time.monotonic() - started
        model = self._info.model if self._info else None
        return StageCall(
            stage=self._stage,
            replica=self.url,
            seconds=round(seconds, 4),
            bytes_sent=len(sent),
            bytes_received=len(received),
            model=model.name if model else None,
            model_hash=model.hash if model else None,
        )
