"""Whether the stages of a request run one model: their shapes tell, before one fails deep inside."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from triptych.wire import Shape

from .background import end_tasks
from .errors import Origin, StageFailed
from .info import Info, Infos
from .routes import Route
from .verdicts import MISPLACED

TOKENS, CHANNELS = 77, {"latent": 4, "image": 3}


async def agree(routes: Mapping[str, Route]) -> Infos:
    """What each stage announces, all of it of one model; a replica that does not fit is passed over.

    Raises StageFailed with both shapes where no other replica fits.
    """
    while True:
        infos = await _announced(routes)
        clash = find_clash(infos)
        if clash is None:
            return infos
        others = {name: await routes[name].ask_others() for name in clash.shapes}
        misfit = find_misfit(clash, others)
        if misfit is None:
            for name in clash.shapes:
                routes[name].forget()
            raise clash.error
        routes[misfit].pass_over(clash.error)


async def _announced(routes: Mapping[str, Route]) -> Infos:
    """Once one stage fails the others are asked no more: an endpoint must not be woken for nothing."""
    asking = {name: asyncio.create_task(route.ask_info()) for name, route in routes.items()}
    try:
        return dict(zip(asking, await asyncio.gather(*asking.values()), strict=True))
    finally:
        await end_tasks([task for task in asking.values() if not task.done()])


class Clash(NamedTuple):
    """A tensor, and the shapes in which two stages announce it, the later stage first."""

    tensor: str
    shapes: Mapping[str, Shape]

    @property
    def error(self) -> StageFailed:
        (stage, shape), (other, expected) = self.shapes.items()
        message = (
            f"The {other} stage announces a {self.tensor} of shape {list(expected)}, the {stage} stage "
            f"one of {list(shape)}: they run different models. Give both the same SD_VERSION and MODEL."
        )
        return StageFailed(message, origin=Origin(stage, None), verdict=MISPLACED)


def find_clash(infos: Infos) -> Clash | None:
    """The first tensor that two stages announce in different shapes."""
    seen: dict[str, tuple[str, Shape]] = {}
    for stage, info in infos.items():
        for tensor, shape in info.shapes.items() if info else ():
            other, expected = seen.setdefault(tensor, (stage, shape))
            if shape != expected:
                return Clash(tensor, {stage: shape, other: expected})
    return None


def find_misfit(clash: Clash, others: Mapping[str, Sequence[Info | None]]) -> str | None:
    """Which of the two stages is to ask another of its replicas: one of which another fits, and of both such
    the one whose shape fewer of the `others` bear out. None where no other would fit.
    """

    def fitting(shape: Shape, *stages: str) -> int:
        announced = [info.shapes if info else {} for stage in stages for info in others[stage]]
        return sum(shapes.get(clash.tensor, shape) == shape for shapes in announced)

    (first, shape), (second, expected) = clash.shapes.items()
    wanted = {first: expected, second: shape}
    replaceable = [stage for stage in wanted if fitting(wanted[stage], stage)]
    return min(replaceable, key=lambda stage: fitting(clash.shapes[stage], first, second), default=None)


def likely_shape(tensor: str, numbers: int) -> Shape | None:
    """Of a tensor that comes as a row of so many numbers; None where nothing sensible has that length."""
    if tensor not in CHANNELS:
        return (TOKENS, numbers // TOKENS) if numbers and numbers % TOKENS == 0 else None
    channels = CHANNELS[tensor]
    side = math.isqrt(numbers // channels)
    return (side, side, channels) if side and side * side * channels == numbers else None
