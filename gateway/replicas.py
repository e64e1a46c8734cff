"""One address of one stage, and how it is asked.

A container and a Hugging Face Endpoint are asked alike; they differ only in what they announce.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from triptych.wire import InvalidField

from . import codecs, load
from .breaker import Breaker
from .codecs import Answer, Body
from .connections import Connections
from .deadline import Deadline
from .errors import GatewayError, StageTimeout
from .faults import Faults
from .info import Announced, Info
from .limits import CallLimits
from .load import Load
from .metrics import Metrics
from .places import Place, at_address, is_hugging_face, without_userinfo
from .requests import StageCall
from .timing import durations
from .verdicts import PAUSED
from .waking import Waking

logger = logging.getLogger(__name__)

PLAIN_FACTOR = 10
"""A plain endpoint seldom becomes one of ours: it is asked so much more rarely whether it has `/info`."""
PROBE_SECONDS = 5.0
PROBE_BYTES = 256 * 1024


Read = Callable[[Answer], Awaitable[Any]]
"""Makes of a stage's answer what it stands for, or raises StageFailed."""


@dataclass(frozen=True)
class Reply:
    """What a stage's answer stands for, with the evidence of the call."""

    value: Any
    call: StageCall


class Replica:
    """Asks one address. Raises only errors of the gateway's tree, each naming stage and address."""

    def __init__(
        self,
        place: Place,
        ip: str | None,
        connections: Connections,
        metrics: Metrics,
        limits: CallLimits,
    ) -> None:
        self._address = at_address(place.url, ip) if ip else place.url
        self.url = without_userinfo(self._address)
        self.group = place.group
        self.faults = Faults(place, self.url)
        self.breaker = Breaker()
        self.load = Load()
        self.stage = place.stage
        self.on_hugging_face = is_hugging_face(place.url)
        self._host = urlsplit(without_userinfo(place.url)).netloc if ip else None
        self._token = place.token
        self._connections = connections
        self._metrics = metrics
        self._limits = limits
        self._probe_seconds = min(PROBE_SECONDS, limits.seconds)
        self._info: Info | None = None
        self._info_expires = 0.0
        self._waking = Waking(self._is_awake)

    async def info(self) -> Info | None:
        """What the replica announces, None for a plain endpoint of unknown shapes. Remembered for a while."""
        if time.monotonic() >= self._info_expires:
            with self.breaker.watch(proves=False):
                await self._refresh()
        return self._info

    async def post(self, payload: dict[str, Any], deadline: Deadline, read: Read) -> Reply:
        """Sends one request of the stage contract and reads the answer, within the timeout.

        What `read` cannot use is the replica's failure too.
        """
        started = time.monotonic()
        body = codecs.encode(payload, self._info, self._limits.wire)
        received, headers = b"", httpx.Headers()
        try:
            with self.breaker.watch():
                response, received = await self._send_in_time(body, deadline)
                headers = response.headers
                self.load.announced(headers.get(load.HEADER, ""))
                value = await read(self._answer(response, received))
            return Reply(value, self._evidence(started, body, received, headers))
        except GatewayError as error:
            self.forget()
            self._metrics.stage_error(self.stage, type(error).__name__)
            raise
        finally:
            call = self._evidence(started, body, received, headers)
            self._metrics.stage_call(self.stage, call.seconds, call.bytes_sent, call.bytes_received)

    async def _send_in_time(self, body: Body, deadline: Deadline) -> tuple[httpx.Response, bytes]:
        seconds = min(self._limits.seconds, deadline.left)
        variable = "STAGE_TIMEOUT" if seconds == self._limits.seconds else "REQUEST_TIMEOUT"
        todo = f"Ask for fewer images or steps, or raise {variable}"
        return await self._send("POST", seconds, self._limits.answer_bytes, body, todo=todo)

    def learn(self, tensor: str, shape: tuple[int, ...]) -> None:
        """A plain endpoint's shape, as its first answer shows it; one in the settings stays."""
        if self._info is None or (self._info.model is None and tensor not in self._info.shapes):
            known = self._info.shapes if self._info else {}
            self._info = Info(stage=self.stage, shapes={**known, tensor: shape})

    @property
    def _is_ours(self) -> bool:
        """Whether it announces itself, as a plain endpoint does not."""
        return self._info is not None and self._info.model is not None

    def forget(self) -> None:
        """Asks again what it is, the next time that it matters."""
        self._info_expires = 0.0

    @property
    def condition(self) -> str:
        """Why others are asked instead: waking, paused, unauthorized or misplaced; empty otherwise."""
        return "waking" if self._waking.under_way else self.breaker.state

    async def wake(self, deadline: Deadline) -> None:
        """Holds until the endpoint is awake. StageUnavailable where it does not wake in time."""
        patience = Deadline(min(self._limits.wake_seconds, deadline.left))
        try:
            await self._waking.wait(patience)
        except TimeoutError:
            raise self.faults.asleep(patience.seconds) from None
        self.breaker.close()

    async def _is_awake(self, patience: Deadline) -> bool:
        """Whether it answers. Hugging Face's proxy is asked to keep the request until it does."""
        hold = {"X-Scale-Up-Timeout": str(math.ceil(patience.left))}
        try:
            response, _ = await self._send(
                "GET /health", patience.left + PROBE_SECONDS, PROBE_BYTES, headers=hold
            )
        except GatewayError:
            return False
        return response.status_code not in (502, 503, 504)

    async def get(self, path: str) -> tuple[httpx.Response, bytes]:
        """The answer to a question that is answered at once, if at all."""
        return await self._send(f"GET {path}", self._probe_seconds, PROBE_BYTES)

    async def _refresh(self) -> None:
        """A stage that is busy may answer late: then what it said before still counts."""
        try:
            info = await self._ask_info()
        except StageTimeout:
            if self._info is None:
                raise
            return
        if info is not None and info.stage != self.stage:
            raise self.faults.another_stage(info.stage)
        if self._info and info and info.model != self._info.model:
            logger.warning("%s at %s is now %s", self.stage, self.url, info.model)
        self._info = info or self._configured()
        lasts = self._limits.info_seconds * (PLAIN_FACTOR if info is None else 1)
        self._info_expires = time.monotonic() + lasts

    def _configured(self) -> Info | None:
        """A plain endpoint's, where its tensors' shapes are in the settings."""
        shapes = self._limits.shapes
        return Info(stage=self.stage, shapes=shapes) if shapes else None

    async def _ask_info(self) -> Info | None:
        response, body = await self.get("/info")
        if response.status_code != 200:
            fault = self._fault("GET /info", response, body)
            if response.status_code in (401, 403, 429, 502, 503, 504) or fault.verdict is PAUSED:
                raise fault
            return None
        try:
            return Announced.model_validate_json(body)
        except ValidationError as error:
            logger.warning("%s at %s is taken for a plain endpoint: %s", self.stage, self.url, error)
            return None

    def _answer(self, response: httpx.Response, body: bytes) -> Answer:
        if response.status_code != 200:
            raise self._fault("POST", response, body)
        try:
            return codecs.decode(response.headers.get("content-type", ""), body)
        except InvalidField as error:
            raise self.faults.failed(f"answered what cannot be used: {error}", "Look at its log") from None
        except ValueError:
            raise self.faults.not_json(body) from None

    def _fault(self, request: str, response: httpx.Response, body: bytes) -> GatewayError:
        retry_after = response.headers.get("retry-after", "")
        return self.faults.status(request, response.status_code, body, retry_after)

    async def _send(
        self,
        request: str,
        seconds: float,
        limit: int,
        body: Body | None = None,
        headers: dict[str, str] | None = None,
        todo: str = "Look at its log",
    ) -> tuple[httpx.Response, bytes]:
        """The response and its body; `request` is a method, and a path below the address if there is one."""
        method, _, path = request.partition(" ")
        started = time.monotonic()
        sent = {**self._headers(body), **(headers or {})}
        try:
            async with (
                asyncio.timeout(seconds),
                self._connections.to(self._is_ours).stream(
                    method, self._address + path, content=body.content if body else None, headers=sent
                ) as response,
            ):
                self._check_silence(request, started, response.status_code)
                return response, await self._read(request, response, limit)
        except TimeoutError:
            raise self.faults.late(request, seconds, todo) from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self.faults.unreachable(request, error) from None
        except httpx.HTTPError as error:
            if not self._is_ours:
                self._check_silence(request, started, 504, str(error) or type(error).__name__)
            raise self.faults.broken_off(request, error) from None

    def _check_silence(self, request: str, started: float, status: int, how: str = "") -> None:
        """A call ended after a long silence is a proxy's doing."""
        seconds = time.monotonic() - started
        if status in (502, 504) and seconds >= self._limits.silence_seconds:
            raise self.faults.cut(request, seconds, how or f"answered {status}")

    def _headers(self, body: Body | None) -> dict[str, str]:
        headers = {"Accept": body.accept if body else codecs.ANYTHING, "Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = body.content_type
        if self._host is not None:
            headers["Host"] = self._host
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

    def _evidence(self, started: float, sent: Body, received: bytes, headers: httpx.Headers) -> StageCall:
        """Of one attempt: what a stage of ours says of its own time, and what is left for the wire."""
        seconds = time.monotonic() - started
        timing = durations(headers.get("server-timing", ""))
        queue, handler = timing.get("queue", 0.0), timing.get("handler")
        model = self._info.model if self._info else None
        return StageCall(
            stage=self.stage,
            replica=self.url,
            attempts=1,
            seconds=round(seconds, 4),
            seconds_waiting=round(queue, 4),
            seconds_computing=None if handler is None else round(handler, 4),
            seconds_on_the_wire=None if handler is None else round(max(0.0, seconds - queue - handler), 4),
            bytes_sent=len(sent.content),
            bytes_received=len(received),
            model=model.name if model else None,
            model_hash=model.hash if model else None,
        )
