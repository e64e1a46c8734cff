"""Making a picture: it forms as one watches, it can be cancelled, and it is as it was asked for."""

import re

import numpy as np
import requests
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from tests.browser.studio import Studio
from tests.tiny import IMAGE, SIDE

LONG = 100


def test_a_picture_forms_as_one_watches(studio: Studio) -> None:
    studio.generate("a red apple on a blue background", steps=LONG)
    bar = studio.find("[role=progressbar]")
    studio.until(lambda: "step" in studio.text("#progress"), "step")
    studio.until(lambda: 10 < int(bar.get_attribute("aria-valuenow") or 0) < 100, "progress")
    assert f"of {LONG}" in (bar.get_attribute("aria-valuetext") or "")
    assert studio.text("[data-stage=diffusion] .state") == "At work"
    studio.until(lambda: studio.all("canvas.preview"), "preview")
    early = studio.pixels("canvas.preview")
    assert max(early.shape) >= 256
    studio.until(lambda: int(bar.get_attribute("aria-valuenow") or 100) > 80, "nearly the whole")
    assert np.abs(studio.pixels("canvas.preview").astype(int) - early).mean() > 1
    studio.made()
    assert studio.result().shape == IMAGE
    assert studio.text("#caption h2") == "a red apple on a blue background"
    assert f"Steps {LONG}" in studio.text("#caption dl").replace("\n", " ")
    assert studio.find("#said").get_attribute("textContent").startswith("The picture is done")  # type: ignore[union-attr]
    assert studio.complaints() == []


def test_the_panels_tell_each_stage_s_share_of_the_time(studio: Studio) -> None:
    hosts = [stage.text for stage in studio.all(".stage .where")]
    assert all(host.startswith("127.0.0.1:") for host in hosts)
    assert [stage.text for stage in studio.all(".stage .state")] == ["Ready"] * 4
    studio.generate("a cat")
    studio.made()
    times = {
        one.get_attribute("data-stage"): one.find_element("css selector", ".time").text
        for one in studio.all(".stage")
    }
    assert times.pop("inpainting") == ""
    assert all(time.endswith("%") for time in times.values())


def test_escape_cancels_and_the_stage_is_free_again(studio: Studio) -> None:
    studio.generate("a red apple", steps=LONG)
    studio.until(lambda: re.search(r"step [1-9]", studio.text("#progress")), "step")
    studio.keys(Keys.ESCAPE)
    studio.until(lambda: "Cancelled" in studio.text("#toast"), "word of it")
    assert not studio.find("#progress").is_displayed()
    assert studio.all("#gallery li") == []
    studio.until(lambda: _requests(studio.url) == 0, "stage without requests")
    studio.generate("a red apple", steps=2)
    studio.made()


def _requests(url: str) -> int:
    stages = requests.get(f"{url}/v1/stages", timeout=10).json()
    return sum(replica["requests"] for stage in stages for replica in stage["replicas"])


def test_the_cancel_button_cancels(studio: Studio) -> None:
    studio.generate("a red apple", steps=LONG)
    studio.press("Cancel")
    studio.until(lambda: "Cancelled" in studio.text("#toast"), "word of it")
    assert not studio.find("#cancel").is_displayed()


def test_a_locked_seed_makes_the_same_picture_and_an_open_one_another(studio: Studio) -> None:
    studio.write("Seed", "7")
    assert studio.button("Keep this seed").get_attribute("aria-pressed") == "true"
    studio.generate("a red apple")
    studio.made()
    first = studio.result()
    studio.press("Generate")
    studio.made(2)
    assert np.array_equal(studio.result(), first)
    assert "Seed 7" in studio.text("#caption dl").replace("\n", " ")
    studio.press("Keep this seed")
    studio.press("Generate")
    studio.made(3)
    assert not np.array_equal(studio.result(), first)
    assert "Seed 7 " not in studio.text("#caption dl").replace("\n", " ")


def test_the_dice_draw_another_seed(studio: Studio) -> None:
    studio.press("Draw a new seed")
    seed = studio.find("#seed").get_attribute("value")
    studio.press("Draw a new seed")
    assert seed and studio.find("#seed").get_attribute("value") != seed


def test_several_pictures_are_shown_and_one_is_chosen(studio: Studio) -> None:
    studio.generate("a cat", pictures=2)
    studio.made(2)
    frames = studio.all("#pictures button")
    assert [frame.get_attribute("aria-pressed") for frame in frames] == ["true", "false"]
    seed = studio.text("#caption dl")
    studio.click(frames[1])
    assert frames[1].get_attribute("aria-pressed") == "true"
    assert studio.text("#caption dl") != seed


def test_what_the_stages_offer_can_be_chosen(studio: Studio) -> None:
    offered = [option.text for option in studio.all("#sampler option")]
    assert {"Default", "DDIM", "Euler", "DPM++ 2M", "LCM"} <= set(offered)
    assert studio.text("#size").strip() == f"{SIDE} × {SIDE}"
    Select(studio.find("#sampler")).select_by_visible_text("LCM")
    studio.generate("a cat", steps=4)
    studio.made()
    assert "Sampler LCM" in studio.text("#caption dl").replace("\n", " ")
