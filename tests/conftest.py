"""Servers that tests share; each starts when the first test asks for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.running import running_gateway, running_stage

StageUrl = Callable[[str], str]


@pytest.fixture(scope="session")
def stage_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageUrl]:
    """The URL of a running stage with the built-in model, by its name."""
    logs: Path = tmp_path_factory.mktemp("stages")
    with ExitStack() as stack:

        @cache
        def start(stage: str) -> str:
            return stack.enter_context(running_stage(stage, logs / f"{stage}.log")).url

        yield start


@pytest.fixture(scope="session")
def gateway_url(stage_url: StageUrl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a gateway in front of the four stages."""
    stages = ("text_encoder", "diffusion", "inpainting", "decoder")
    urls = {f"{stage.upper()}_URL": stage_url(stage) for stage in stages}
    with running_gateway(tmp_path_factory.mktemp("gateway") / "gateway.log", **urls) as server:
        yield server.url
