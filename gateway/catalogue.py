"""The models that there are, as clients list and name them."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import InvalidRequest
from .info import Info
from .stages import Stage
from .states import info_of, state_of

STANDARD = "standard"
DENOISERS = ("diffusion", "all_in_one")
"""The stages whose hash stands for a model, where it has one of them."""


@dataclass(frozen=True)
class Entry:
    """One model: `model` is what a GenerateRequest calls it, None the standard one.

    `name` is the settings' own, or what the standard model announces; `hash` is None for a plain endpoint.
    """

    model: str | None
    name: str
    hash: str | None

    @property
    def id(self) -> str:
        """The name without what a path or a shell would trip over."""
        return re.sub(r"[^a-z0-9._-]+", "-", self.name.lower()).strip("-")

    @property
    def title(self) -> str:
        return f"{self.name} [{self.hash}]" if self.hash else self.name

    def is_called(self, name: str) -> bool:
        names = {self.id, self.name.lower(), self.title.lower(), self.hash, self.model or STANDARD}
        return name.lower() in names


async def list_models(stages: Iterable[Stage]) -> list[Entry]:
    """The standard model first. No endpoint is woken for it."""
    telling: dict[str | None, Stage] = {}
    for stage in sorted(stages, key=lambda stage: stage.name not in DENOISERS):
        telling.setdefault(stage.model, stage)
    models = sorted(telling, key=lambda model: (model is not None, model))
    return list(await asyncio.gather(*(_entry(model, telling[model]) for model in models)))


async def _entry(model: str | None, stage: Stage) -> Entry:
    info = await _announced(stage)
    announced = info.model.name if info and info.model else STANDARD
    return Entry(model, model or announced, info.model.hash if info and info.model else None)


async def _announced(stage: Stage) -> Info | None:
    """What the first replica says that says something."""
    for replica in await stage.replicas():
        if info := await info_of(replica, await state_of(replica)):
            return info
    return None


def find_model(name: str | None, entries: Iterable[Entry]) -> Entry:
    """The entry of this name, title, id or hash; the standard one of None. InvalidRequest naming all."""
    listed = list(entries)
    wanted = name or STANDARD
    found = next((entry for entry in listed if entry.is_called(wanted)), None)
    if found is None:
        names = " or ".join(entry.id for entry in listed)
        raise InvalidRequest(f"model must be {names}; got {wanted[:60]!r}.", field="model")
    return found
