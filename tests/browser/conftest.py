"""A browser for each test, and the studio in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.browser.studio import Studio

WIDE = (1280, 900)

OpenStudio = Callable[..., Studio]


@pytest.fixture(scope="session", autouse=True)
def has_browser() -> None:
    if not chromium.found():
        pytest.skip("there is no chromium with its chromedriver here: apt install chromium chromium-driver")


@pytest.fixture
def open_studio(has_browser: None, gateway_url: str, tmp_path: Path) -> Iterator[OpenStudio]:
    """Opens the studio of the gateway, or of another one, in a new browser of this width and height."""
    with ExitStack() as stack:

        def start(url: str = gateway_url, size: tuple[int, int] = WIDE) -> Studio:
            driver = chromium.start(size, tmp_path)
            stack.callback(driver.quit)
            return Studio(driver, url, tmp_path)

        yield start


@pytest.fixture
def studio(open_studio: OpenStudio) -> Studio:
    return open_studio()
