"""What goes wrong is said in plain words, and where."""

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image

from gateway.app import create_app
from gateway.settings import Settings
from gateway.studio import add_studio
from tests.browser.conftest import OpenStudio
from tests.browser.studio import Studio
from tests.conftest import StageUrl
from tests.running import free_port, running_gateway
from tests.unit.gateway.fakes import serving

STAGES = ("text_encoder", "diffusion", "inpainting", "decoder")


def test_a_number_out_of_bounds_is_said_at_its_field(studio: Studio) -> None:
    studio.generate("a red apple", steps=999)
    assert studio.text("#problem") == "Steps must be a whole number from 1 to 250."
    assert studio.driver.switch_to.active_element.get_attribute("id") == "steps"
    assert studio.find("#steps").get_attribute("aria-invalid") == "true"
    studio.write("Steps", "3")
    assert studio.find("#steps").get_attribute("aria-invalid") is None
    studio.press("Generate")
    studio.made()
    assert not studio.find("#problem").is_displayed()


def test_the_gateway_s_own_sentence_is_shown(
    open_studio: OpenStudio, stage_url: StageUrl, tmp_path: Path
) -> None:
    urls = {f"{stage.upper()}_URL": stage_url(stage) for stage in STAGES}
    with running_gateway(tmp_path / "gateway.log", MAX_IMAGE_PIXELS="4096", **urls) as gateway:
        studio = open_studio(gateway.url)
        studio.mode("Image to image")
        studio.choose(Image.new("RGB", (100, 100)))
        studio.generate("a red apple")
        studio.until(lambda: "must be of at most 4096 pixels" in studio.text("#problem"), "its sentence")
        assert studio.find("#paint").is_displayed()


def test_a_stage_that_cannot_be_reached_is_said_at_its_panel_and_when_it_is_needed(
    open_studio: OpenStudio, stage_url: StageUrl
) -> None:
    urls = {f"{stage}_url": stage_url(stage) for stage in STAGES}
    away: dict[str, Any] = {**urls, "decoder_url": f"http://127.0.0.1:{free_port()}", "stage_attempts": 1}
    with serving(create_app(Settings.model_validate(away))) as url:
        studio = open_studio(url)
        panel = studio.find("[data-stage=decoder]")
        studio.until(lambda: "Not reachable" in panel.text, "state")
        assert away["decoder_url"] in panel.text
        studio.generate("a red apple")
        studio.until(lambda: "The decoder stage" in studio.text("#problem"), "sentence of the gateway")


def test_a_gateway_that_has_gone_is_said(
    open_studio: OpenStudio, stage_url: StageUrl, tmp_path: Path
) -> None:
    urls = {f"{stage.upper()}_URL": stage_url(stage) for stage in STAGES}
    with running_gateway(tmp_path / "gateway.log", **urls) as gateway:
        studio = open_studio(gateway.url)
    studio.generate("a red apple")
    studio.until(lambda: "does not answer" in studio.text("#problem"), "word of it")
    assert "make up" in studio.text("#problem")


@pytest.fixture
def plain_gateway() -> Iterator[str]:
    """Another server of the same page, which answers in plain JSON."""
    app = FastAPI()

    @app.post("/v1/txt2img")
    def txt2img(body: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.2)
        file = io.BytesIO()
        Image.new("RGB", (64, 48), "red").save(file, "PNG")
        image = {"data": base64.b64encode(file.getvalue()).decode(), "media_type": "image/png"}
        return {
            "images": [{**image, "seed": body["seed"], "width": 64, "height": 48}],
            "parameters": {"steps": body["steps"], "guidance_scale": 7.5},
            "stages": [],
            "warnings": ["The sampler may have been ignored."],
            "seconds": 0.2,
        }

    add_studio(app)
    with serving(app) as url:
        yield url


def test_an_answer_in_plain_json_is_shown_too(open_studio: OpenStudio, plain_gateway: str) -> None:
    studio = open_studio(plain_gateway)
    studio.generate("a red wall")
    studio.made()
    assert studio.result().shape == (48, 64, 3)
    assert "The sampler may have been ignored." in studio.text("#caption")


def test_something_that_is_not_the_gateway_is_said(open_studio: OpenStudio, plain_gateway: str) -> None:
    studio = open_studio(plain_gateway)
    studio.mode("Image to image")
    studio.choose(Image.new("RGB", (64, 64)))
    studio.generate("a red apple")
    studio.until(lambda: "answered 404" in studio.text("#problem"), "word of it")
