"""The gallery: what was made stays, and can be used again."""

import json

import numpy as np
from PIL import Image
from selenium.webdriver.support.select import Select

from tests.browser.studio import Studio
from tests.browser.test_input import begin


def test_what_was_made_is_there_after_a_reload_with_what_it_was_made_of(studio: Studio) -> None:
    studio.generate("a red apple on a blue background", steps=5, guidance=3)
    studio.made()
    before, facts = studio.result(), studio.text("#caption dl")
    studio.open()
    assert len(studio.all("#gallery li")) == 1
    assert studio.find("#prompt").get_attribute("value") == "a red apple on a blue background"
    studio.click(studio.find("#gallery button"))
    studio.until(lambda: studio.all("#pictures img"), "picture")
    assert np.array_equal(studio.result(), before)
    assert studio.text("#caption dl") == facts


def test_its_settings_make_it_again(studio: Studio) -> None:
    studio.generate("a cat", steps=4)
    studio.made()
    before = studio.result()
    studio.generate("a rocket at night", steps=3)
    studio.made(2)
    studio.click(studio.all("#gallery button")[1])
    studio.until(lambda: studio.text("#caption h2") == "a cat", "older picture")
    studio.press("Reuse settings")
    studio.until(lambda: studio.find("#steps").get_attribute("value") == "4", "settings")
    studio.press("Generate")
    studio.made(3)
    assert np.array_equal(studio.result(), before)


def test_a_repainted_picture_is_made_again_with_its_input_and_its_mask(studio: Studio) -> None:
    begin(studio)
    studio.paint((0.3, 0.3), (0.6, 0.6))
    mask = studio.mask()
    studio.generate("a red apple", steps=4)
    studio.made()
    before = studio.result()
    studio.open()
    studio.click(studio.find("#gallery button"))
    studio.until(lambda: studio.all("#pictures img"), "picture")
    studio.press("Reuse settings")
    studio.until(lambda: studio.find("#mask").is_displayed() and studio.mask().any(), "mask")
    assert np.array_equal(studio.mask(), mask)
    studio.press("Generate")
    studio.made(2)
    assert np.array_equal(studio.result(), before)


def test_choices_are_kept_over_a_reload(studio: Studio) -> None:
    Select(studio.find("#sampler")).select_by_value("lcm")
    studio.write("Steps", "4")
    studio.open()
    studio.until(lambda: studio.find("#sampler").get_attribute("value") == "lcm", "sampler")
    assert studio.find("#steps").get_attribute("value") == "4"


def test_deleting_can_be_taken_back(studio: Studio) -> None:
    for number, prompt in enumerate(("a cat", "a dog"), 1):
        studio.generate(prompt, steps=2)
        studio.made(number)
    studio.click(studio.all("#gallery button")[1])
    studio.until(lambda: studio.text("#caption h2") == "a cat", "older picture")
    studio.press("Delete")
    studio.until(lambda: len(studio.all("#gallery li")) == 1, "gallery without it")
    studio.click(studio.find("#toast button"))
    studio.until(lambda: len(studio.all("#gallery li")) == 2, "gallery with it")
    names = [one.accessible_name for one in studio.all("#gallery button")]
    assert "a dog" in names[0]
    assert "a cat" in names[1]


def test_a_picture_is_downloaded_with_its_parameters(studio: Studio) -> None:
    studio.write("Seed", "5")
    studio.generate("a red apple!", steps=4)
    studio.made()
    studio.press("Download")
    path = studio.folder / "a-red-apple-5.png"
    studio.until(path.exists, "file")
    with Image.open(path) as image:
        assert json.loads(image.info["triptych"])["steps"] == 4
        assert np.array_equal(np.asarray(image.convert("RGB")), studio.result())
