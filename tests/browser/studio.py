"""The studio as a person sees it: what can be pressed, written, painted and read."""

import base64
import io
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

SECONDS = 120
PIXELS = """
    const source = document.querySelector(arguments[0]);
    const canvas = document.createElement("canvas");
    canvas.width = source.naturalWidth ?? source.width;
    canvas.height = source.naturalHeight ?? source.height;
    canvas.getContext("2d").drawImage(source, 0, 0);
    return canvas.toDataURL("image/png").split(",")[1];
"""

Found = TypeVar("Found")


class Studio:
    """An open page; what it waits for must come within two minutes."""

    def __init__(self, driver: webdriver.Chrome, url: str, folder: Path) -> None:
        self.driver = driver
        self.url = url
        self.folder = folder
        self.open()

    def open(self) -> None:
        self.driver.get(f"{self.url}/")
        self.until(lambda: self.run("return document.documentElement.dataset.ready"), "a page that is ready")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def until(self, look: Callable[[], Found | None], what: str) -> Found:
        """What `look` finds, as soon as it finds something that is not just being replaced."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with suppress(StaleElementReferenceException):
                if found := look():
                    return found
            time.sleep(0.02)
        raise AssertionError(f"there was no {what}; the page says {self.text('body')!r}")

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.find(selector).text

    def button(self, name: str) -> WebElement:
        """The visible button, or link, with this accessible name."""
        return self.until(lambda: self._button(name), f"button {name!r}")

    def _button(self, name: str) -> WebElement | None:
        shown = (one for one in self.all("button, a.button") if one.is_displayed())
        return next((one for one in shown if name in (one.text, one.accessible_name)), None)

    def press(self, name: str) -> None:
        self.click(self.button(name))

    def click(self, element: WebElement) -> None:
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def keys(self, *keys: str) -> None:
        """Typed where the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def write(self, label: str, text: str) -> None:
        """Writes into the field with this label, in the place of what is there."""
        fields = self.all("textarea, input[type=text], input[type=number]")
        field = next(one for one in fields if one.is_displayed() and one.accessible_name == label)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text or Keys.DELETE)

    def mode(self, name: str) -> None:
        labels = self.all(".modes label")
        self.click(next(label for label in labels if label.text == name))

    def generate(self, prompt: str, **settings: object) -> None:
        self.write("Prompt", prompt)
        for label, value in settings.items():
            self.write(label.capitalize(), str(value))
        self.press("Generate")

    def made(self, count: int = 1) -> None:
        """Waits until the gallery has so many, and nothing is being made."""
        done = lambda: len(self.all("#gallery li")) == count and not self.find("#cancel").is_displayed()  # noqa: E731
        self.until(done, f"gallery of {count}")

    def choose(self, image: Image.Image, name: str = "input.png") -> None:
        """Chooses the picture as a file, as a person does in the dialog of the system."""
        path = self.folder / name
        image.save(path)
        self.find("#file").send_keys(str(path))
        self.until(lambda: self.find("#paint").is_displayed(), "input picture")

    def pixels(self, selector: str) -> npt.NDArray[np.uint8]:
        """(height, width, 4): what an image or a canvas holds."""
        image = Image.open(io.BytesIO(base64.b64decode(self.run(PIXELS, selector))))
        return np.asarray(image.convert("RGBA"))

    def result(self) -> npt.NDArray[np.uint8]:
        """(height, width, 3): the picture on the easel."""
        self.until(lambda: self.run("return document.querySelector('#pictures img').complete"), "picture")
        return self.pixels("#pictures img")[..., :3]

    def mask(self) -> npt.NDArray[np.bool_]:
        """(height, width): what is painted."""
        return self.pixels("#mask")[..., 3] > 127

    def paint(self, *points: tuple[float, float]) -> None:
        """A stroke through these points, in parts of the picture's width and height."""
        canvas = self.find("#mask")
        self.run("arguments[0].scrollIntoView({block: 'center'})", canvas)
        size, moves = canvas.size, ActionChains(self.driver, duration=20)
        offsets = [(round((x - 0.5) * size["width"]), round((y - 0.5) * size["height"])) for x, y in points]
        moves.move_to_element_with_offset(canvas, *offsets[0]).click_and_hold()
        for offset in offsets[1:]:
            moves.move_to_element_with_offset(canvas, *offset)
        moves.release().perform()

    def complaints(self) -> list[str]:
        """What the browser's console has of warnings and errors."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] in ("WARNING", "SEVERE")]
