"""Fake stages, and gateways in front of them, all on real sockets."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.unit.gateway.fakes import SHAPES, FakeStage, serving

Fakes = dict[str, FakeStage]
ServedFakes = dict[str, tuple[FakeStage, str]]
StartGateway = Callable[..., httpx.Client]


def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes every variable that the gateway reads out of the environment, and proxies with them."""
    for name in os.environ:
        known = name.removesuffix("_FILE").partition("__")[0].lower() in Settings.model_fields
        if known or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the developer's shell reaches the settings."""
    clean(monkeypatch)


@pytest.fixture(scope="session")
def served_fakes() -> Iterator[ServedFakes]:
    with ExitStack() as stack:
        fakes = {name: FakeStage(name) for name in SHAPES}
        yield {name: (fake, stack.enter_context(serving(fake.app()))) for name, fake in fakes.items()}


@pytest.fixture
def fakes(served_fakes: ServedFakes) -> Fakes:
    """The five fake stages by name, as new."""
    for fake, _ in served_fakes.values():
        fake.reset()
    return {name: fake for name, (fake, _) in served_fakes.items()}


@pytest.fixture
def urls(fakes: Fakes, served_fakes: ServedFakes) -> dict[str, str]:
    """Where the fake stages are, by stage."""
    return {name: url for name, (_, url) in served_fakes.items()}


@contextmanager
def started(served_fakes: ServedFakes, **settings: object) -> Iterator[httpx.Client]:
    split = {f"{name}_url": url for name, (_, url) in served_fakes.items() if name != "all_in_one"}
    app = create_app(Settings.model_validate({**split, **settings}))
    with serving(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def lasting_gateway(served_fakes: ServedFakes) -> Iterator[httpx.Client]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        clean(monkeypatch)
        with started(served_fakes) as client:
            yield client


@pytest.fixture
def gateway(lasting_gateway: httpx.Client, fakes: Fakes) -> httpx.Client:
    """A client of a gateway in front of the four fake stages, which knows what they announce."""
    return lasting_gateway


@pytest.fixture
def start_gateway(fakes: Fakes, served_fakes: ServedFakes) -> Iterator[StartGateway]:
    """Starts a gateway in front of the four fake stages, with these settings; gives a client of it."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(started(served_fakes, **settings))


@pytest.fixture
def fresh_gateway(start_gateway: StartGateway) -> httpx.Client:
    """A client of a gateway of the test's own, which has not asked or counted anything yet."""
    return start_gateway()
