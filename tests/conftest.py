"""Servers that tests share; each starts when the first test asks for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from endpoints.bundle import write_bundle
from endpoints.selected import Selected
from tests.collector import Collector, running_collector
from tests.fake_cloud import FakeEndpoint, fake_endpoint
from tests.running import BACKENDS, running_gateway, running_stage

StageUrl = Callable[[str], str]
StageEndpoint = Callable[[str], FakeEndpoint]
WITH_ENDPOINTS = ("tests/contract/test_bundles.py", "tests/e2e/test_deployments.py")


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests stay together where tests are shared out, as its servers are there once. Those that need
    the fake endpoints do so too: five more models fit in memory, ten may not."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "fake endpoints" if file in WITH_ENDPOINTS else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Of `-n 2`."""
    return ByFile(config, log)


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the shared servers send the traces that a test asks for."""
    with running_collector() as collector:
        yield collector


@pytest.fixture(scope="session")
def stage_url(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[StageUrl]:
    """The URL of a running stage with the built-in model, by its name."""
    logs: Path = tmp_path_factory.mktemp("stages")
    with ExitStack() as stack:

        @cache
        def start(stage: str) -> str:
            log = logs / f"{stage}.log"
            return stack.enter_context(running_stage(stage, log, **collector.environment)).url

        yield start


@pytest.fixture(scope="session")
def stage_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageEndpoint]:
    """A running fake endpoint with the bundle of a stage and the built-in model, by the stage's name.

    Each has a token of its own. A test that changes its state sets it back.
    """
    folder = tmp_path_factory.mktemp("cloud")
    with ExitStack() as stack:

        @cache
        def start(stage: str) -> FakeEndpoint:
            built_in = {"SD_VERSION": "tiny", "KERAS_BACKEND": BACKENDS[stage.upper()]}
            bundle = write_bundle(Selected(stage, built_in, is_built_in=True), folder / "bundles")
            return stack.enter_context(fake_endpoint(bundle, folder / stage, token=f"hf_{stage}"))

        yield start


@pytest.fixture(scope="session")
def gateway_url(
    stage_url: StageUrl, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a gateway in front of the four stages."""
    stages = ("text_encoder", "diffusion", "inpainting", "decoder")
    urls = {f"{stage.upper()}_URL": stage_url(stage) for stage in stages}
    log = tmp_path_factory.mktemp("gateway") / "gateway.log"
    with running_gateway(log, **urls, **collector.environment) as server:
        yield server.url
