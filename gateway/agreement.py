"""Whether the stages of a request run one model: their shapes tell, before one fails deep inside."""

import asyncio
import math
from collections.abc import Mapping
from typing import NamedTuple

from .errors import Origin, StageFailed
from .info import Infos
from .routes import Route
from .verdicts import MISPLACED

TOKENS, CHANNELS = 77, {"latent": 4, "image": 3}


async def agree(routes: Mapping[str, Route]) -> Infos:
    """What each stage announces, all of it of one model; a replica that does not fit is passed over.

    Raises StageFailed with both shapes where there is no other replica.
    """
    while True:
        announced = await asyncio.gather(*(route.ask_info() for route in routes.values()))
        infos = dict(zip(routes, announced, strict=True))
        clash = find_clash(infos)
        if clash is None:
            return infos
        parties = routes[clash.stage], routes[clash.other]
        if not any(route.pass_over(clash.error) for route in parties):
            for route in parties:
                route.forget()
            raise clash.error


class Clash(NamedTuple):
    """Two stages that do not fit together."""

    stage: str
    other: str
    error: StageFailed


def find_clash(infos: Infos) -> Clash | None:
    """The first tensor that two stages announce in different shapes."""
    seen: dict[str, tuple[str, tuple[int, ...]]] = {}
    for stage, info in infos.items():
        for tensor, shape in info.shapes.items() if info else ():
            other, expected = seen.setdefault(tensor, (stage, shape))
            if shape != expected:
                message = (
                    f"The {other} stage announces a {tensor} of shape {list(expected)}, the {stage} stage "
                    f"one of {list(shape)}: they run different models. Give both the same SD_VERSION and "
                    "MODEL."
                )
                error = StageFailed(message, origin=Origin(stage, None), verdict=MISPLACED)
                return Clash(stage, other, error)
    return None


def likely_shape(tensor: str, numbers: int) -> tuple[int, ...] | None:
    """Of a tensor that comes as a row of so many numbers; None where nothing sensible has that length."""
    if tensor not in CHANNELS:
        return (TOKENS, numbers // TOKENS) if numbers and numbers % TOKENS == 0 else None
    channels = CHANNELS[tensor]
    side = math.isqrt(numbers // channels)
    return (side, side, channels) if side and side * side * channels == numbers else None
