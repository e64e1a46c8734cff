"""A stage is where it runs: groups of equals, in the order in which they are asked."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from opentelemetry.trace import Tracer

from triptych.tracing import UNTRACED

from .addresses import STAGES
from .connections import Connections
from .errors import InvalidRequest, Origin, StageUnavailable
from .info import State
from .limits import CallLimits
from .metrics import Metrics
from .places import Place
from .replicas import Replica
from .settings import Settings
from .sites import Site
from .states import state_of


class Stage:
    """One stage of one model, `model` being None for the standard one."""

    def __init__(
        self,
        name: str,
        sites: Sequence[Site],
        limits: CallLimits,
        metrics: Metrics,
        model: str | None = None,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self.metrics = metrics
        self.tracer = tracer
        self.name = name
        self.model = model
        self.limits = limits
        self._sites = sites

    @property
    def known(self) -> list[Replica]:
        """Its replicas, in the order given, as they were last resolved."""
        return [replica for site in self._sites for replica in site.replicas]

    async def replicas(self) -> list[Replica]:
        """Its replicas, in the order given."""
        await asyncio.gather(*(site.refresh() for site in self._sites))
        return self.known

    async def states(self) -> list[State]:
        """The state of every replica, asked at the same time."""
        return list(await asyncio.gather(*(state_of(replica) for replica in await self.replicas())))


class Stages:
    """The stages that are switched on, of the standard model and of those beside it."""

    def __init__(self, standard: Sequence[Stage], models: Mapping[str, Sequence[Stage]]) -> None:
        self._standard = {stage.name: stage for stage in standard}
        self._models = {name: {stage.name: stage for stage in stages} for name, stages in models.items()}

    @classmethod
    def from_settings(
        cls, settings: Settings, connections: Connections, metrics: Metrics, tracer: Tracer = UNTRACED
    ) -> "Stages":
        limits = CallLimits(
            seconds=settings.stage_timeout,
            answer_bytes=settings.stage_answer_bytes,
            info_seconds=settings.stage_info_seconds,
            attempts=settings.stage_attempts,
            wake_seconds=settings.wake_timeout,
            restart_seconds=settings.restart_timeout,
            silence_seconds=settings.proxy_timeout,
            shapes=settings.plain_shapes,
            wire=settings.wire_choice,
        )

        def site(place: Place) -> Site:
            return Site(place, lambda ip: Replica(place, ip, connections, metrics, limits))

        def stages(model: str | None) -> list[Stage]:
            places = {name: settings.places(name, model) for name in STAGES}
            return [
                Stage(name, [site(place) for place in found], limits, metrics, model, tracer)
                for name, found in places.items()
                if found
            ]

        return cls(stages(None), {model: stages(model) for model in settings.models})

    def __iter__(self) -> Iterator[Stage]:
        yield from self._standard.values()
        for own in self._models.values():
            yield from own.values()

    def model(self, name: str | None) -> str | None:
        """The model as the settings name it. InvalidRequest for one that they do not."""
        if name is None or name.lower() in self._models:
            return name and name.lower()
        known = "".join(f"{model}, " for model in self._models)
        raise InvalidRequest(
            f"model must be {known and f'one of {known}or '}null for the standard one; got {name[:60]!r}.",
            field="model",
        )

    def all_in_one(self, model: str | None) -> bool:
        """Whether one call makes the picture: where the model, or else the standard one, is in one stage."""
        own = self._models[model] if model else {}
        split = {"text_encoder", "diffusion", "decoder"} & set(own)
        return "all_in_one" in own or ("all_in_one" in self._standard and not split)

    def pick(self, names: Sequence[str], model: str | None) -> list[Stage]:
        """These stages, the model's own where it has them; StageUnavailable where some are switched off."""
        found = {**self._standard, **(self._models[model] if model else {})}
        off = [name for name in names if name not in found]
        if off:
            variables = " and ".join(f"{name.upper()}_URL" for name in off)
            raise StageUnavailable(
                f"Switched off here: {', '.join(off)}. To use it, set {variables}.",
                origin=Origin(off[0], None),
            )
        return [found[name] for name in names]
