"""A gateway with two keys, and what its clients send."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.keys.key import line_of
from tests.unit.gateway.conftest import ServedFakes, clean, started

ANN, BOB = "triptych_of-ann", "triptych_of-bob"
LINES = (line_of("ann", ANN), line_of("bob", BOB))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def guarded_gateway(served_fakes: ServedFakes) -> Iterator[httpx.Client]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        clean(monkeypatch)
        with started(served_fakes, gateway_keys=";".join(LINES)) as client:
            yield client


@pytest.fixture
def guarded(guarded_gateway: httpx.Client, fakes: object) -> httpx.Client:
    """A client without a key of a gateway that has ann's and bob's."""
    return guarded_gateway


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text("\n".join(LINES))
    return file
