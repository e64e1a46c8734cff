"""Samplers and schedules by the names that other programs give them."""

import difflib
import re
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import InvalidRequest
from ..infotext import SAMPLERS, SCHEDULES

NEAREST = {
    "dpm++ sde": "dpmpp_2m",
    "dpm++ 2m sde": "dpmpp_2m",
    "dpm++ 2m sde heun": "dpmpp_2m",
    "dpm++ 3m sde": "dpmpp_2m",
    "dpm++ 2s a": "euler_ancestral",
    "dpm2": "heun",
    "dpm2 a": "euler_ancestral",
    "dpm fast": "dpmpp_2m",
    "dpm adaptive": "dpmpp_2m",
    "dpm solver singlestep": "dpmpp_2m",
    "deis multistep": "dpmpp_2m",
    "unipc": "dpmpp_2m",
    "uni pc multistep": "dpmpp_2m",
    "lms": "euler",
    "restart": "heun",
    "ddim cfg++": "ddim",
    "plms": "ddim",
    "pndm": "ddim",
    "ddpm": "euler_ancestral",
    "tcd": "lcm",
}
"""What comes closest to samplers that the stages lack: of the same order, and with new noise or without."""
ALIASES = {
    "ddim": ["ddim"],
    "euler": ["k euler", "euler discrete"],
    "euler_ancestral": ["k euler a", "euler ancestral", "k euler ancestral", "euler ancestral discrete"],
    "dpmpp_2m": ["k dpmpp 2m", "dpmpp 2m", "dpm solver multistep"],
    "heun": ["k heun", "heun discrete"],
    "lcm": ["lcm"],
}
"""Other names of those that they have, of k-diffusion's functions and of diffusers' schedulers."""
SCHEDULE_ALIASES = {
    "karras": "karras",
    "exponential": "karras",
    "polyexponential": "karras",
    "kl optimal": "karras",
    "align your steps": "karras",
    "uniform": "keras-cv",
    "keras cv": "keras-cv",
    "normal": "keras-cv",
    "simple": "trailing",
    "beta": "trailing",
    "sgm uniform": "trailing",
    "trailing": "trailing",
    "ddim": "leading",
    "leading": "leading",
    "range": "range",
    "lcm": "lcm",
}
AUTOMATIC = ("", "automatic", "use same scheduler")


@dataclass(frozen=True)
class Sampling:
    """What a GenerateRequest is told, and warnings of what is not quite as it was asked for."""

    sampler: str | None
    schedule: str | None
    warnings: list[str]


def read_sampling(sampler: str | None, schedule: str | None) -> Sampling:
    """What two names stand for; None leaves it to the stages.

    Raises InvalidRequest for a sampler that nothing is near to.
    """
    if not sampler:
        return Sampling(None, find_schedule(schedule), _warn_of_schedule(schedule))
    found = find_sampler(sampler)
    if found is None:
        names = ", ".join(SAMPLERS.values())
        raise InvalidRequest(f"sampler must be one of {names}; got {sampler[:60]!r}.", field="sampler")
    warnings = (
        [f"The sampler is {SAMPLERS[found.sampler]}, the nearest to {sampler!r}."] if found.near else []
    )
    chosen = find_schedule(schedule) or found.schedule
    return Sampling(found.sampler, chosen, [*warnings, *_warn_of_schedule(schedule)])


def _warn_of_schedule(name: str | None) -> list[str]:
    found = find_schedule(name)
    if _key(name or "") in (*AUTOMATIC, _key(found or ""), _key(label_of(found))):
        return []
    return [f"The schedule is {label_of(found)}, the nearest to {name!r}."]


class Choice(NamedTuple):
    """A stage's sampler and schedule, None its own choice; `near` where it is not what the name says."""

    sampler: str
    schedule: str | None
    near: bool


def find_sampler(name: str) -> Choice | None:
    """What a name such as "DPM++ 2M Karras" stands for, or comes close to; None where nothing does."""
    key = _key(name)
    known = {_key(label): sampler for sampler, label in SAMPLERS.items()}
    known |= {alias: sampler for sampler, aliases in ALIASES.items() for alias in aliases}
    known |= {_key(sampler): sampler for sampler in SAMPLERS}
    if key in known:
        return Choice(known[key], None, False)
    if key in NEAREST:
        return Choice(NEAREST[key], None, True)
    first, _, last = key.rpartition(" ")
    if last in SCHEDULE_ALIASES and (found := find_sampler(first)):
        schedule = find_schedule(last)
        return Choice(found.sampler, schedule, found.near or _key(schedule or "") != last)
    similar = difflib.get_close_matches(key, [*known, *NEAREST], 1, cutoff=0.75)
    return Choice((known | NEAREST)[similar[0]], None, True) if similar else None


def find_schedule(name: str | None) -> str | None:
    """The schedule that a name such as "Karras" or "sgm_uniform" stands for, or comes close to; None leaves
    it to the sampler, as does a name that nothing is near to."""
    key = _key(name or "")
    if key in AUTOMATIC:
        return None
    similar = difflib.get_close_matches(key, SCHEDULE_ALIASES, 1, cutoff=0.75)
    return SCHEDULE_ALIASES[similar[0]] if similar else None


def label_of(schedule: str | None) -> str:
    """What AUTOMATIC1111 calls the schedule."""
    return SCHEDULES.get(schedule, schedule) if schedule else "Automatic"


def _key(name: str) -> str:
    """One spelling of a name: diffusers' class names are taken apart, underscores and case let go."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name.removesuffix("Scheduler"))
    return re.sub(r"[\s_-]+", " ", words).strip().lower()
