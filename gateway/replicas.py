"""One address of one stage, and how it is asked.

A container and a Hugging Face Endpoint are asked alike; they differ only in what they announce.
"""

import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import ValidationError

from triptych.tracing import outgoing
from triptych.wire import InvalidField

from . import codecs
from .breaker import Breaker
from .channel import Channel, Question
from .codecs import Answer, Body
from .connections import Connections
from .deadline import Deadline
from .errors import GatewayError, StageTimeout
from .info import Announced, Info
from .job import Job
from .limits import CallLimits
from .load import Load
from .metrics import Metrics
from .pace import Pace
from .places import Place, is_hugging_face
from .received import Received
from .requests import StageCall
from .spans import tell
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
        self._channel = Channel(place, ip, connections, limits)
        self.url = self._channel.url
        self.faults = self._channel.faults
        self.group = place.group
        self.breaker = Breaker()
        self.load = Load()
        self.stage = place.stage
        self.on_hugging_face = is_hugging_face(place.url)
        self._metrics = metrics
        self._limits = limits
        self._probe_seconds = min(PROBE_SECONDS, limits.seconds)
        self._info: Info | None = None
        self._info_expires = 0.0
        self._pace = Pace()
        self._waking = Waking(self._is_awake)
        self._has_left = False

    async def info(self) -> Info | None:
        """What the replica announces, None for a plain endpoint of unknown shapes. Remembered for a while."""
        if time.monotonic() >= self._info_expires:
            with self.breaker.watch(proves=False):
                await self._refresh()
        return self._info

    @property
    def known(self) -> Info | None:
        """What it announced or showed last, without asking it."""
        return self._info

    async def post(self, payload: dict[str, Any], deadline: Deadline, read: Read, job: Job) -> Reply:
        """Sends one request of the stage contract and reads the answer, within the timeout.

        What `read` cannot use is the replica's failure too. The job hears what the stage streams meanwhile.
        """
        started = time.monotonic()
        streams = self._limits.wire.safetensors and job.streams(self._info, self._pace.expect(payload))
        asked = {**payload, **job.fields(self._info, streams)}
        body = codecs.encode(asked, self._info, self._limits.wire, streams)
        if not streams:
            job.begin()
        received = Received()
        try:
            with self.breaker.watch():
                question = self._question(body, deadline)
                received = await self._channel.receive(question, self._limits.answer_bytes, job.hear)
                self.load.announced(received.queue)
                value = await read(self._answer(received))
            self._pace.note(asked, received.seconds.get("handler"))
            return Reply(value, self._evidence(started, body, received))
        except GatewayError as error:
            self.forget()
            self._metrics.stage_error(self.stage, self.url, type(error).__name__)
            raise
        finally:
            call = self._evidence(started, body, received)
            self._metrics.stage_call(call)
            if self._has_left:  # while it did this
                self.leave()
            tell(call)

    def _question(self, body: Body, deadline: Deadline) -> Question:
        seconds = min(self._limits.seconds, deadline.left)
        variable = "STAGE_TIMEOUT" if seconds == self._limits.seconds else "REQUEST_TIMEOUT"
        todo = f"Ask for fewer images or steps, or raise {variable}; if it answers nothing else, restart it"
        return Question("POST", seconds, self._is_ours, body, outgoing(), todo)

    def learn(self, tensor: str, shape: tuple[int, ...]) -> None:
        """A plain endpoint's shape, as its first answer shows it; one in the settings stays."""
        if self._info is None or (self._info.model is None and tensor not in self._info.shapes):
            known = self._info.shapes if self._info else {}
            self._info = Info(stage=self.stage, shapes={**known, tensor: shape})

    @property
    def _is_ours(self) -> bool:
        """Whether it announces itself, as a plain endpoint does not."""
        return self._info is not None and self._info.model is not None

    def leave(self) -> None:
        """It is asked no more: its address is gone. What it does still ends."""
        self._has_left = True
        self._metrics.forget(self.stage, self.url)

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
            question = Question("GET /health", patience.left + PROBE_SECONDS, self._is_ours, headers=hold)
            response, _ = await self._channel.ask(question, PROBE_BYTES)
        except GatewayError:
            return False
        return response.status_code not in (502, 503, 504)

    async def get(self, path: str) -> tuple[httpx.Response, bytes]:
        """The answer to a question that is answered at once, if at all."""
        question = Question(f"GET {path}", self._probe_seconds, self._is_ours)
        return await self._channel.ask(question, PROBE_BYTES)

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
            fault = self._fault("GET /info", Received.whole(response, body))
            if response.status_code in (401, 403, 429, 502, 503, 504) or fault.verdict is PAUSED:
                raise fault
            return None
        try:
            return Announced.model_validate_json(body)
        except ValidationError as error:
            logger.warning("%s at %s is taken for a plain endpoint: %s", self.stage, self.url, error)
            return None

    def _answer(self, received: Received) -> Answer:
        if received.status != 200:
            raise self._fault("POST", received)
        try:
            return codecs.decode(received.content_type, received.body)
        except InvalidField as error:
            raise self.faults.unusable(error) from None
        except ValueError:
            raise self.faults.not_json(received.body) from None

    def _fault(self, request: str, received: Received) -> GatewayError:
        if received.midway and received.status == 503:
            return self.faults.stopped(request, received.body)
        return self.faults.status(request, received.status, received.body, received.retry_after)

    def _evidence(self, started: float, sent: Body, received: Received) -> StageCall:
        """Of one attempt: what a stage of ours says of its own time, and what is left for the wire."""
        seconds = time.monotonic() - started
        queue, handler = received.seconds.get("queue", 0.0), received.seconds.get("handler")
        model = self._info.model if self._info else None
        return StageCall(
            stage=self.stage,
            replica=self.url,
            attempts=1,
            resumed_at=[],
            seconds=round(seconds, 4),
            seconds_waiting=round(queue, 4),
            seconds_computing=None if handler is None else round(handler, 4),
            seconds_on_the_wire=None if handler is None else round(max(0.0, seconds - queue - handler), 4),
            bytes_sent=len(sent.content),
            bytes_received=received.size,
            model=model.name if model else None,
            model_hash=model.hash if model else None,
            cache_hits=received.cache_hits,
            cache_misses=received.cache_misses,
        )
