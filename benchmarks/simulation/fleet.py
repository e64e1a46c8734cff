"""Gateways, users, and what happens to them."""

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import simpy

from gateway.admission import RETRY_AFTER, Admission
from gateway.breaker import Breaker
from gateway.choice import choose
from gateway.errors import Origin, Overloaded, StageUnavailable
from gateway.load import Load
from gateway.metrics import Metrics
from gateway.sites import REFRESH_SECONDS, Order
from gateway.verdicts import BUSY, DOWN, LOST, Again, Verdict

from .engine import Engine, Lost, TimedUnet

Process = Generator[simpy.Event, Any, Any]
ATTEMPTS = 4


@dataclass(frozen=True)
class Times:
    """Seconds that were measured: a call of the UNet by its rows, and what is around it."""

    calls: dict[int, float]
    gateway: float
    """Of a gateway's one processor, for a picture."""
    encode: float
    decode: float


@dataclass(frozen=True)
class Scenario:
    """What is simulated. Users ask, wait for the picture, look at it for a while, and ask again."""

    name: str
    replicas: int
    users: int
    look_seconds: float
    gateways: int = 1
    steps: int = 25
    limit: int = 1000
    """MAX_CONCURRENT_REQUESTS of each gateway."""
    queue: int = 64
    """MAX_QUEUE of each replica."""
    state_every: int = 5
    lost: float = 0.0
    """The share of the replicas that goes in the middle of the time that counts."""
    warm_seconds: float = 10.0
    seconds: float = 20.0
    seed: int = 1


@dataclass
class Seen:
    """What users saw, and when."""

    waits: list[float] = field(default_factory=list)
    """Seconds from the first asking to the picture."""
    came: list[float] = field(default_factory=list)
    """When each of them came."""
    asked: list[float] = field(default_factory=list)
    """When each request, refused ones included, was made."""
    refused: list[float] = field(default_factory=list)
    repeated: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)

    def between(self, since: float, until: float) -> "Seen":
        """What was seen from then to then."""
        waits = [wait for wait, came in zip(self.waits, self.came, strict=True) if since <= came < until]
        whens = (self.came, self.asked, self.refused, self.repeated, self.failed)
        return Seen(waits, *([when for when in some if since <= when < until] for some in whens))


class Place:
    """A replica as one gateway knows it."""

    group = 0
    condition = ""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self.engine = engine
        self.breaker = Breaker(clock)
        self.load = Load(clock)


class Gateway:
    """Lets in, and finds each picture a replica."""

    def __init__(self, env: simpy.Environment, fleet: "Fleet", number: int) -> None:
        self._env = env
        self._fleet = fleet
        self.admission = Admission(fleet.scenario.limit, Metrics())
        order = Order(number)
        numbered = sorted(range(len(fleet.engines)), key=order)
        self._places = [Place(fleet.engines[one], lambda: env.now) for one in numbered]
        self._resolved = random.Random(number).uniform(-REFRESH_SECONDS, 0)
        self._processor = simpy.Resource(env)

    def picture(self, client: str) -> Process:
        """A picture's way; raises Overloaded or StageUnavailable."""
        with self.admission.permit():
            with self._processor.request() as turn:
                yield turn
                yield self._env.timeout(self._fleet.times.gateway)
            yield self._env.timeout(self._fleet.times.encode)
            yield from self._denoise(client)
            yield self._env.timeout(self._fleet.times.decode)

    def _denoise(self, client: str) -> Process:
        failed: dict[Place, Again] = {}
        done = 0
        error: Overloaded | StageUnavailable | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                self._fleet.seen.repeated.append(self._env.now)
            place = choose(self._known(), failed)
            try:
                with place.load.one_more(), place.breaker.watch():
                    yield from self._ask(place, client, done)
                return
            except Overloaded as refused:
                error = refused
            except StageUnavailable as gone:
                error, done = gone, getattr(gone, "step", done)
            failed[place] = error.verdict.again
        assert error is not None
        raise error

    def _ask(self, place: Place, client: str, done: int) -> Process:
        if place.engine.gone:
            raise _unavailable(DOWN, done)
        if place.engine.is_full:
            place.load.announced(str(place.engine.requests))
            raise Overloaded("busy", origin=Origin("diffusion", None), verdict=BUSY, retry_after=1)
        try:
            yield place.engine.submit(client, self._fleet.scenario.steps, done)
        except Lost as lost:
            raise _unavailable(LOST, lost.step) from None
        place.load.announced(str(place.engine.requests))

    def _known(self) -> list[Place]:
        """As the name was last resolved: those that are gone are known for up to some seconds more."""
        if self._env.now - self._resolved >= REFRESH_SECONDS:
            self._resolved = self._env.now
            self._places = [place for place in self._places if not place.engine.gone]
        return self._places


def _unavailable(verdict: Verdict, step: int) -> StageUnavailable:
    error = StageUnavailable("gone", origin=Origin("diffusion", None), verdict=verdict)
    error.step = step  # type: ignore[attr-defined]
    return error


class Fleet:
    """All of a scenario, run."""

    def __init__(self, scenario: Scenario, times: Times) -> None:
        self.scenario = scenario
        self.times = times
        self.seen = Seen()
        self._env = env = simpy.Environment()
        unet = TimedUnet(times.calls)
        self.engines = [
            Engine(env, unet, scenario.queue + 1, scenario.state_every) for _ in range(scenario.replicas)
        ]
        self._gateways = [Gateway(env, self, number) for number in range(scenario.gateways)]
        self._random = random.Random(scenario.seed)
        for number in range(scenario.users):
            env.process(self._user(f"user-{number}", self._gateways[number % scenario.gateways]))
        if scenario.lost:
            env.process(self._lose())

    def run(self) -> Seen:
        """What users saw in the time that counts."""
        end = self.scenario.warm_seconds + self.scenario.seconds
        self._env.run(end)
        return self.seen.between(self.scenario.warm_seconds, end)

    def _user(self, name: str, gateway: Gateway) -> Process:
        mean = self.scenario.look_seconds
        if mean:  # they do not all begin at once
            yield self._env.timeout(self._random.uniform(0, mean))
        while True:
            began = self._env.now
            yield from self._until_it_comes(name, gateway)
            self.seen.waits.append(self._env.now - began)
            self.seen.came.append(self._env.now)
            if mean:
                yield self._env.timeout(self._random.expovariate(1 / mean))

    def _until_it_comes(self, name: str, gateway: Gateway) -> Process:
        while True:
            self.seen.asked.append(self._env.now)
            try:
                yield from gateway.picture(name)
                return
            except Overloaded as error:
                self.seen.refused.append(self._env.now)
                yield self._env.timeout(error.retry_after or RETRY_AFTER)
            except StageUnavailable:
                self.seen.failed.append(self._env.now)
                yield self._env.timeout(RETRY_AFTER)

    def _lose(self) -> Process:
        yield self._env.timeout(self.scenario.warm_seconds + self.scenario.seconds / 2)
        gone = round(len(self.engines) * self.scenario.lost)
        for engine in self._random.sample(self.engines, gone):
            engine.lose()
