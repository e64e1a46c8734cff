"""The secret that the gateway's own stages have."""

from pathlib import Path

import pytest

from gateway.settings import Settings
from tests.unit.gateway.conftest import Fakes, StartGateway

SECRET = "not-to-be-guessed"


def token(settings: Settings, stage: str) -> str | None:
    (place,) = settings.places(stage)
    return place.token.get_secret_value() if place.token else None


def test_a_stage_without_a_token_of_its_own_gets_the_secret() -> None:
    settings = Settings.model_validate({"stage_secret": SECRET, "decoder_token": "own"})
    assert (token(settings, "diffusion"), token(settings, "decoder")) == (SECRET, "own")


@pytest.mark.parametrize("hf_token", [None, "hf_x"])
def test_hugging_face_does_not_get_it(hf_token: str | None) -> None:
    urls = {"diffusion_url": "https://a.endpoints.huggingface.cloud"}
    settings = Settings.model_validate({"stage_secret": SECRET, "hf_token": hf_token, **urls})
    assert token(settings, "diffusion") == hf_token


def test_an_address_with_a_password_sends_that() -> None:
    settings = Settings.model_validate({"stage_secret": SECRET, "diffusion_url": "http://me:x@a"})
    assert token(settings, "diffusion") is None


def test_it_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.setenv("STAGE_SECRET_FILE", str(tmp_path / "secret"))
    assert token(Settings(), "decoder") == SECRET
    assert SECRET not in repr(Settings())


def test_it_is_sent_with_every_call(start_gateway: StartGateway, fakes: Fakes) -> None:
    gateway = start_gateway(stage_secret=SECRET)
    assert gateway.get("/ready").status_code == 200
    assert gateway.post("/v1/txt2img", json={"prompt": ""}).status_code == 200
    asked = {
        (path, headers.get("authorization"))
        for path, headers in zip(fakes["decoder"].paths, fakes["decoder"].headers, strict=True)
    }
    assert {path for path, _ in asked} >= {"/", "/info", "/ready"}
    assert {header for _, header in asked} == {f"Bearer {SECRET}"}
