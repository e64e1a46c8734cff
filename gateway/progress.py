"""How far a request is, told to whoever watches."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a request is now.

    `stage` is the one it is at. `state` is `waking` (held until an endpoint is awake), `queued` (behind
    `ahead` others) or `running`. Steps are those of the denoising, 0 where there are none. `previews` are
    PNG files of the latent's size, the newest, one a picture; empty where there is nothing new.
    """

    stage: str
    state: str
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    ahead: int = 0
    previews: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Kept:
    """A state of the denoising, after so many steps, as the stage with this model gave it."""

    state: str
    step: int
    model_hash: str | None


@dataclass(frozen=True)
class Watcher:
    """`notice` is called on the event loop, and returns at once. A preview is wanted every so many steps,
    with 0 none. `keep`, likewise, gets every state that a stage hands over, and the work goes on from `kept`
    where the stage takes it."""

    notice: Callable[[Progress], None]
    preview_every: int = 0
    keep: Callable[[Kept], None] | None = None
    kept: Kept | None = None


@dataclass(frozen=True)
class Caller:
    """For whom the stages work: a name that tells clients apart, so that each gets its share, who watches,
    and after how many steps a state is kept, with 0 never."""

    client: str = ""
    watcher: Watcher | None = None
    state_every: int = 0

    def notice(self, progress: Progress) -> None:
        if self.watcher is not None:
            self.watcher.notice(progress)


NOBODY = Caller()
"""Nobody watches, and nothing is kept."""
