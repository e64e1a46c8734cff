"""A stage is an ordered list of replicas: containers of ours, or Hugging Face Endpoints."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from .errors import Origin, StageFailed, StageUnavailable
from .info import Info, State
from .metrics import Metrics
from .replicas import CallLimits, Replica, Reply
from .settings import STAGES, Settings


class Stage:
    """One stage and where it runs. The first replica does the work."""

    def __init__(self, name: str, replicas: list[Replica]) -> None:
        self.name = name
        self.replicas = replicas

    async def info(self) -> Info | None:
        """What the stage announces; None for a plain endpoint."""
        return await self.replicas[0].info()

    async def post(self, payload: dict[str, Any]) -> Reply:
        """One request of the stage contract."""
        return await self.replicas[0].post(payload)

    def failed(self, what: str, todo: str) -> StageFailed:
        """A StageFailed about the replica that did the work."""
        return self.replicas[0].faults.failed(what, todo)

    async def states(self) -> list[State]:
        """The state of every replica, asked at the same time."""
        return list(await asyncio.gather(*(replica.state() for replica in self.replicas)))


class Stages:
    """The stages that are switched on, by name."""

    def __init__(self, stages: list[Stage]) -> None:
        self._stages = {stage.name: stage for stage in stages}

    @classmethod
    def from_settings(cls, settings: Settings, client: httpx.AsyncClient, metrics: Metrics) -> "Stages":
        limits = CallLimits(settings.stage_timeout, settings.stage_answer_bytes, settings.stage_info_seconds)

        def replica(name: str) -> Replica:
            return Replica(name, settings.url(name), settings.token(name), client, metrics, limits)

        return cls([Stage(name, [replica(name)]) for name in STAGES if settings.url(name)])

    def __iter__(self) -> Iterator[Stage]:
        return iter(self._stages.values())

    def __contains__(self, name: str) -> bool:
        return name in self._stages

    def pick(self, names: Sequence[str]) -> list[Stage]:
        """These stages; StageUnavailable where some of them are switched off."""
        off = [name for name in names if name not in self]
        if off:
            variables = " and ".join(f"{name.upper()}_URL" for name in off)
            raise StageUnavailable(
                f"Switched off here: {', '.join(off)}. To use it, set {variables}.",
                origin=Origin(off[0], None),
            )
        return [self._stages[name] for name in names]
