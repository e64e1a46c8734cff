"""A diffusion stage that tests kill and start again."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.mortal import Mortal
from tests.running import stage_environment

RESTART_SECONDS = 60


@contextmanager
def mortal_diffusion(log: Path) -> Iterator[Mortal]:
    stage = Mortal("host", log, **stage_environment("diffusion", MAX_QUEUE="64"))
    stage.start()
    try:
        stage.wait()
        yield stage
    finally:
        stage.close()


def picture(answer: dict[str, Any]) -> bytes:
    """The file in an answer of the gateway."""
    return base64.b64decode(answer["images"][0]["data"])


def diffusion(answer: dict[str, Any]) -> dict[str, Any]:
    """What the diffusion stage did for it."""
    call: dict[str, Any] = answer["stages"][1]
    return call
