"""The studio of a gateway that asks for a key."""

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from gateway.app import create_app
from gateway.keys.key import line_of
from gateway.settings import Settings
from tests.browser.conftest import OpenStudio
from tests.browser.studio import Studio
from tests.conftest import StageUrl
from tests.unit.gateway.fakes import serving

KEY = "triptych_of-ann"
STAGES = ("text_encoder", "diffusion", "inpainting", "decoder")


@pytest.fixture
def guarded_url(stage_url: StageUrl) -> Iterator[str]:
    urls = {f"{stage}_url": stage_url(stage) for stage in STAGES}
    settings = Settings.model_validate({**urls, "gateway_keys": line_of("ann", KEY)})
    with serving(create_app(settings)) as url:
        yield url


def asks(studio: Studio) -> bool:
    return studio.find("#access").is_displayed()


def give(studio: Studio, key: str) -> None:
    studio.until(lambda: asks(studio), "question for the key")
    studio.find("#access-key").send_keys(key, Keys.ENTER)


def test_the_page_asks_for_the_key_and_keeps_it_for_the_session(
    open_studio: OpenStudio, guarded_url: str
) -> None:
    studio = open_studio(guarded_url)
    give(studio, "wrong")
    studio.until(lambda: studio.find("#access-wrong").is_displayed(), "word that it is wrong")
    give(studio, KEY)
    studio.until(lambda: not asks(studio), "end of the question")
    studio.until(lambda: len(studio.all("#panels .panel")) > 0, "panels")
    studio.generate("a red apple", steps=4)
    studio.made()
    studio.open()
    studio.generate("a green pear", steps=4)
    studio.made(2)
    assert not asks(studio)
    assert KEY not in studio.driver.current_url
    assert KEY not in studio.run("return JSON.stringify(localStorage)")


def test_who_gives_none_is_left_alone_until_something_is_to_be_made(
    open_studio: OpenStudio, guarded_url: str
) -> None:
    studio = open_studio(guarded_url)
    studio.until(lambda: asks(studio), "question for the key")
    studio.press("Not now")
    studio.generate("a red apple", steps=4)
    studio.until(lambda: asks(studio), "question for the key")
    studio.keys(Keys.ESCAPE)
    studio.until(lambda: "asks for a key" in studio.text("#problem"), "sentence of the gateway")
    studio.press("Generate")
    give(studio, KEY)
    studio.made()
