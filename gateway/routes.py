"""One stage for one request: which replica does its part, and what follows when one does not."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from opentelemetry.trace import SpanKind
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_random_exponential,
)

from .choice import choose
from .codecs import RESUME
from .deadline import Deadline
from .errors import GatewayError, InvalidRequest, Origin, Overloaded, StageFailed, StageTimeout
from .info import Info, announces
from .job import Job
from .progress import NOBODY, Caller, Progress
from .replicas import Read, Replica, Reply
from .requests import StageCall
from .spans import tell
from .stages import Stage
from .verdicts import MISPLACED, Again

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 2
"""A stage that asks for more time than this is not waited for, unless work was lost: the user is told to come
again."""
BACKOFF = wait_random_exponential(multiplier=0.2, max=PATIENCE_SECONDS)

Result = TypeVar("Result")


class Route:
    """Only the stage that failed is repeated, elsewhere if there is an elsewhere."""

    def __init__(
        self, stage: Stage, deadline: Deadline, caller: Caller = NOBODY, needs: Sequence[str] = ()
    ) -> None:
        self.stage = stage
        self.info: Info | None = None
        """What the stage announces, as the replica says that was chosen first; it is what is planned with."""
        self.served: Info | None = None
        """What the replica announces that did the work."""
        self.warnings: list[str] = []
        self._deadline = deadline
        self._caller = caller
        self._needs = needs
        self._replica: Replica | None = None
        self._failed: dict[Replica, Again] = {}
        self._failures = 0
        self._began = 0.0
        self._waited = 0.0
        self._losses = 0
        self._patience: Deadline | None = None

    async def ask_info(self) -> Info | None:
        """What the stage announces; None for a plain endpoint."""
        self.info = self.served = await self._try(self._ask_info)
        return self.info

    async def _ask_info(self, replica: Replica) -> Info | None:
        """Where the request's time ends meanwhile, that is not the replica's failure."""
        try:
            async with asyncio.timeout(self._deadline.left):
                info = await replica.info()
        except TimeoutError:
            raise self._overdue() from None
        return self._checked(replica, info)

    def _checked(self, replica: Replica, info: Info | None) -> Info | None:
        """What it announces, if that is all that the request cannot do without."""
        for extra in self._needs:
            if not announces(info, extra):
                raise replica.faults.lacks(extra)
        return info

    async def post(self, payload: dict[str, Any], read: Read) -> Reply:
        """One request of the stage contract; the reply's value is what `read` makes of it."""
        job = Job(self.stage.name, self._caller)

        async def ask(replica: Replica) -> Reply:
            with self.stage.tracer.start_as_current_span(
                f"POST {self.stage.name}", kind=SpanKind.CLIENT, attributes={"triptych.replica": replica.url}
            ):
                return await attempt(replica)

        async def attempt(replica: Replica) -> Reply:
            self.served = await self._ask_info(replica)
            self._check_fits(replica, self.served)
            try:
                return await replica.post(payload, self._deadline, read, job)
            except InvalidRequest as error:
                if error.field != RESUME or not job.start_over():
                    raise
                return await replica.post(payload, self._deadline, read, job)

        with self.stage.tracer.start_as_current_span(f"stage {self.stage.name}"):
            reply = await self._try(ask)
            self._warn()
            call = self._with_attempts(reply.call, job)
            tell(call)
            return Reply(reply.value, call)

    def _with_attempts(self, call: StageCall, job: Job) -> StageCall:
        """The evidence of the attempt that succeeded, with what was before it."""
        return replace(
            call,
            attempts=self._failures + 1,
            resumed_at=job.resumed_at,
            seconds=round(call.seconds + self._waited, 4),
            seconds_waiting=round(call.seconds_waiting + self._waited, 4),
        )

    def failed(self, what: str, todo: str) -> StageFailed:
        """A StageFailed about the replica that did the work."""
        assert self._replica is not None
        return self._replica.faults.failed(what, todo)

    def learn(self, tensor: str, shape: tuple[int, ...]) -> None:
        """What an answer shows of a plain endpoint."""
        assert self._replica is not None
        self._replica.learn(tensor, shape)

    def forget(self) -> None:
        """What the replica that answered last was known to be counts no longer: it may be put right now."""
        if self._replica is not None:
            self._replica.forget()

    async def ask_others(self) -> list[Info | None]:
        """What those replicas announce that could be asked instead of the one that answered last. An endpoint
        is not woken for it: what is known of it counts.
        """
        others = [
            one
            for one in self.stage.known
            if one is not self._replica and not one.condition and one.breaker.allows
        ]
        asked = await asyncio.gather(*map(self._ask_other, others))
        return [info for answer in asked for info in answer]

    async def _ask_other(self, replica: Replica) -> list[Info | None]:
        """Nothing of one that cannot do it."""
        with suppress(GatewayError):
            known = replica.known if replica.on_hugging_face else await replica.info()
            return [self._checked(replica, known)]
        return []

    def pass_over(self, error: GatewayError) -> None:
        """Others are asked than the replica that answered last."""
        if self._replica is not None:
            self._replica.breaker.enter(error.verdict, error.message)

    async def _try(self, ask: Callable[[Replica], Awaitable[Result]]) -> Result:
        """What a replica makes of it; the last error where none does."""
        tried: list[str] = []
        started, self._failed = time.monotonic(), {}
        try:
            try:
                result = await self._attempt(ask, tried)
            except GatewayError as error:
                result = await self._try_again(ask, tried, error)
            self._waited += self._began - started
            return result
        except GatewayError as error:
            if len(tried) > 1:
                error.message += f" It was tried {len(tried)} times: {', '.join(dict.fromkeys(tried))}."
            raise

    async def _try_again(
        self, ask: Callable[[Replica], Awaitable[Result]], tried: list[str], failure: GatewayError
    ) -> Result:
        """After a first attempt that failed; most do not, and are spared what repeating takes."""
        failures = [failure]

        async def attempt() -> Result:
            if failures:
                raise failures.pop()
            return await self._attempt(ask, tried)

        retrying = AsyncRetrying(
            stop=self._gives_up,
            wait=self._pause,
            retry=retry_if_exception(self._may_repeat),
            reraise=True,
        )
        result: Result = await retrying(attempt)
        return result

    async def _attempt(self, ask: Callable[[Replica], Awaitable[Result]], tried: list[str]) -> Result:
        if tried:
            self.stage.metrics.retry(self.stage.name)
        self._check_deadline()
        replica = self._replica = choose(await self.stage.replicas(), self._failed)
        tried.append(replica.url)
        try:
            with replica.load.one_more():
                if replica.condition == "waking":
                    self._caller.notice(Progress(self.stage.name, "waking"))
                    await replica.wake(self._deadline)
                self._began = time.monotonic()
                return await ask(replica)
        except GatewayError as error:
            self._failures += 1
            self._failed[replica] = error.verdict.again
            if error.verdict.midway:
                self._losses += 1
                self._patience = self._patience or Deadline(self.stage.limits.restart_seconds)
            logger.warning("attempt failed", extra={"replica": replica.url, "error": error.message})
            raise

    def _gives_up(self, state: RetryCallState) -> bool:
        """After so many attempts; but a stage that went in the middle of the request may be coming back."""
        if state.attempt_number < self.stage.limits.attempts:
            return False
        returning = self._patience is not None and self._patience.left > 0
        return not returning or self._losses >= self.stage.limits.attempts

    def _may_repeat(self, error: BaseException) -> bool:
        if not isinstance(error, GatewayError) or not self._deadline.left:
            return False
        if error.verdict.again is Again.NOWHERE or self._elsewhere():
            return error.verdict.again is not Again.NOWHERE
        soon = not isinstance(error, Overloaded) or (error.retry_after or 0) <= PATIENCE_SECONDS
        return Again.ANYWHERE in self._failed.values() and (soon or self._losses > 0)

    def _elsewhere(self) -> bool:
        return any(replica not in self._failed for replica in self.stage.known)

    def _pause(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: none where another replica can be asked."""
        error = state.outcome and state.outcome.exception()
        if self._elsewhere() or (isinstance(error, GatewayError) and error.verdict.state):
            return 0
        asked = error.retry_after if isinstance(error, Overloaded) and error.retry_after else 0
        return min(max(BACKOFF(state), asked), self._deadline.left)

    def _check_deadline(self) -> None:
        if not self._deadline.left:
            raise self._overdue()

    def _overdue(self) -> StageTimeout:
        return StageTimeout(
            f"The request's {self._deadline.seconds:g} s were over before the {self.stage.name} stage "
            "was done. Ask for fewer images or steps, or raise REQUEST_TIMEOUT.",
            origin=Origin(self.stage.name, None),
        )

    def _check_fits(self, replica: Replica, info: Info | None) -> None:
        """A replica of another model than what was planned with is refused."""
        for tensor, shape in info.shapes.items() if info else ():
            expected = self.info.shapes.get(tensor, shape) if self.info else shape
            if shape != expected:
                error = replica.faults.failed(
                    f"has a {tensor} of shape {list(shape)}, where another replica has {list(expected)}",
                    "They run different models: give both the same, or the other a name of its own "
                    f"({self.stage.name.upper()}_URLS__name)",
                    "GET /info",
                    MISPLACED,
                )
                replica.breaker.enter(error.verdict, error.message)
                raise error

    def _warn(self) -> None:
        """Of replicas that would have been asked before the one that did it, if they were not as they are."""
        done = self._replica
        for replica in self.stage.known:
            if done and replica is not done and replica.group <= done.group and replica.condition:
                where = f"The {self.stage.name} stage at {replica.url}"
                self.warnings.append(
                    f"{where} is {replica.condition} and was passed over. GET /v1/stages says more."
                )
