import pytest


@pytest.fixture(autouse=True)
def two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A UNet for more rows compiles for more sizes in the background, for minutes."""
    monkeypatch.setenv("BATCH_ROWS", "2")
