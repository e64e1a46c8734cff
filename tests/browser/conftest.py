"""A browser for each test, and the studio in it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.browser.studio import Studio

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
WIDE = (1280, 900)

OpenStudio = Callable[..., Studio]


@pytest.fixture
def open_studio(gateway_url: str, tmp_path: Path) -> Iterator[OpenStudio]:
    """Opens the studio of the gateway, or of another one, in a new browser of this width and height."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("there is no chromium with its chromedriver here: apt install chromium chromium-driver")
    with ExitStack() as stack:

        def start(url: str = gateway_url, size: tuple[int, int] = WIDE) -> Studio:
            driver = _browser(tmp_path, size)
            stack.callback(driver.quit)
            return Studio(driver, url, tmp_path)

        yield start


@pytest.fixture
def studio(open_studio: OpenStudio) -> Studio:
    return open_studio()


def _browser(downloads: Path, size: tuple[int, int]) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (*ARGUMENTS, f"--window-size={size[0]},{size[1]}"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    return driver
