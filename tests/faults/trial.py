"""One fault: clients before it, while it lasts, and until all is well again."""

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests

from tests.faults.client import Accepted, Answer, ask, asking, does_its_part, hand_in, lost
from tests.faults.stack import STAGES, Stack
from tests.mortal import Mortal, until

HEAL_SECONDS = 180
MOST_SECONDS = 60
"""Nobody waits longer for an answer, of whatever kind."""
SEEDS = itertools.count(1_000_000)
"""That no client has had."""


@dataclass(frozen=True)
class Row:
    """What came of a fault: what its client saw, the seconds until all was well without anybody's doing, and
    which of the jobs that were taken did not become pictures."""

    fault: str
    answers: list[Answer]
    healed: float
    accepted: int
    lost: list[str]


@dataclass(frozen=True)
class Case:
    """One fault; `needs` is empty where it can be made here, else what that takes."""

    name: str
    run: Callable[[Stack], Row]
    quick: bool = False
    needs: str = ""


def suffer(
    fault: str,
    gateway: Mortal,
    stage: str,
    begin: Callable[[], object],
    end: Callable[[], object] | None = None,
    seconds: float = 1.0,
) -> Row:
    """Clients ask and hand in jobs before the fault begins, while it lasts, and until all is well again.

    Without `end` it is over as soon as it has begun, as a kill is.
    """
    accepted = Accepted()
    hand_in(gateway.url, stage, 1, accepted)
    with asking(gateway.url, stage) as answers, ThreadPoolExecutor(1) as pool:
        until(lambda: len(answers) > 0, MOST_SECONDS)
        before = len(answers)
        begin()
        ended = time.monotonic()
        hand_in(gateway.url, stage, 2, accepted)
        until(lambda: len(answers) > before, MOST_SECONDS)
        time.sleep(seconds)
        others = pool.submit(until, lambda: others_go_on(gateway, stage), HEAL_SECONDS)
        if end is not None:
            others.result()
            end()
            ended = time.monotonic()
        until(lambda: ask(gateway.url, stage, next(SEEDS)).status == 200, HEAL_SECONDS)
        healed = time.monotonic() - ended
        others.result()
    lasting = lost(gateway.url, accepted)
    return Row(fault, [*answers, *accepted.refused], healed, len(accepted.ids), lasting)


def others_go_on(gateway: Mortal, stage: str) -> bool:
    """Whether the gateway tells how all is, the stages that nothing was done to do their part, each asked by
    itself, and pictures that do without the other one are made."""
    try:
        found = requests.get(f"{gateway.url}/v1/stages", timeout=15).json()
    except requests.RequestException:
        return False
    well = {one["stage"]: at["url"] for one in found for at in one["replicas"] if at["state"] == "warm"}
    others = {*STAGES} - {stage}
    return (
        others <= {*well}
        and all(does_its_part(well[other], other, next(SEEDS)) for other in others)
        and (stage != "inpainting" or ask(gateway.url, "diffusion", next(SEEDS)).status == 200)
    )
