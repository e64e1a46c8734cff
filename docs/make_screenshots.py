"""Make the documentation's pictures of the studio with a running stack and Chromium.

`PYTHONPATH=. python docs/make_screenshots.py [URL]`
"""

import io
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from tests.browser import chromium
from tests.browser.studio import Studio

FOLDER = Path(__file__).parent
WIDE, PHONE = (1280, 860), (390, 844)
PROMPTS = (
    "a penguin in the snow",
    "a castle at sunset",
    "an orange fish on a black background",
    "a pink house in a meadow",
    "a rocket at night",
    "a cat on a yellow background",
    "a red apple on a blue background",
)
SETTLED_SECONDS = 0.8


def main(url: str) -> None:
    with opened(url, WIDE, "Light") as studio:
        make_all(studio, seed=11)
        keep(studio, "studio.png")
    with opened(url, WIDE, "Dark") as studio:
        make_all(studio, seed=12)
        studio.run("document.getElementById('brush-size').value = 30")
        studio.press("Inpaint")
        studio.until(lambda: studio.find("#mask").is_displayed(), "mask")
        studio.paint((0.25, 0.45), (0.45, 0.35), (0.65, 0.5), (0.45, 0.65), (0.35, 0.55))
        studio.write("Prompt", "a green pear on a blue background")
        keep(studio, "studio-inpainting.png")
    with opened(url, PHONE, "Light") as studio:
        studio.click(studio.find("summary"))
        studio.write("Steps", "250")
        studio.write("Seed", "3")
        studio.click(studio.find("summary"))
        studio.generate("a lighthouse at sunset")
        studio.until(lambda: int(bar(studio) or 0) > 80, "most of a picture")
        keep(studio, "studio-phone.png", settle=0)


def bar(studio: Studio) -> str | None:
    return studio.find("[role=progressbar]").get_attribute("aria-valuenow")


@contextmanager
def opened(url: str, size: tuple[int, int], theme: str) -> Iterator[Studio]:
    with tempfile.TemporaryDirectory() as folder:
        driver = chromium.start(size, Path(folder))
        try:
            studio = Studio(driver, url, Path(folder))
            while studio.find("#theme").text != theme:
                studio.click(studio.find("#theme"))
            yield studio
        finally:
            driver.quit()


def make_all(studio: Studio, seed: int) -> None:
    """With a seed of its own: what was made before is kept by the stages, and would take no time."""
    for number, prompt in enumerate(PROMPTS, 1):
        studio.write("Seed", str(seed))
        studio.generate(prompt)
        studio.made(number)


def keep(studio: Studio, name: str, settle: float = SETTLED_SECONDS) -> None:
    time.sleep(settle)
    shot = Image.open(io.BytesIO(studio.driver.get_screenshot_as_png()))
    shot.convert("RGB").save(FOLDER / name, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
