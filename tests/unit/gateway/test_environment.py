"""What the environment says of models beside the standard one."""

from pathlib import Path

import pytest

from gateway.settings import Settings, sentences
from tests.unit.gateway.test_settings import ENDPOINT, complaint, tokens


def test_a_model_has_addresses_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSION_URLS__Anime", "http://a:8000,http://b:8000")
    monkeypatch.setenv("DECODER_URL__anime", "http://c:8000")
    monkeypatch.setenv("DIFFUSION_URLS__water-colour_2", "http://d:8000")
    settings = Settings()
    assert set(settings.models) == {"anime", "water-colour_2"}
    assert [place.url for place in settings.places("diffusion", "anime")] == [
        "http://a:8000",
        "http://b:8000",
    ]
    assert [place.url for place in settings.places("decoder", "anime")] == ["http://c:8000"]
    assert settings.places("text_encoder", "anime") == ()
    assert [place.url for place in settings.places("diffusion")] == ["http://127.0.0.1:8002"]


def test_the_standard_token_is_not_sent_to_another_models_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSION_TOKEN", "standard")
    monkeypatch.setenv("DIFFUSION_URLS__anime", f"http://a:8000,{ENDPOINT}")
    assert tokens("diffusion", "anime") == [None, None]
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    assert tokens("diffusion", "anime") == [None, "hf_abc"]
    monkeypatch.setenv("DIFFUSION_TOKENS__anime", "own,")
    assert tokens("diffusion", "anime") == ["own", "hf_abc"]


def test_a_models_token_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n".replace(" ", "-"))
    monkeypatch.setenv("DIFFUSION_URL__anime", "http://a:8000")
    monkeypatch.setenv("DIFFUSION_TOKEN__anime_FILE", str(tmp_path / "token"))
    assert tokens("diffusion", "anime") == ["from-a-file"]
    monkeypatch.setenv("DIFFUSION_TOKEN__anime", "other")
    with pytest.raises(ValueError) as refused:
        Settings()
    assert sentences(refused.value) == [
        "Set DIFFUSION_TOKEN__anime or DIFFUSION_TOKEN__anime_FILE, not both."
    ]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DIFFUSION_URLS__ä": "http://a"}, "must end with a model's name of letters, digits, _ and -"),
        ({"DIFFUSION_URLS__anime": ""}, "The model anime must have an address: set DIFFUSION_URLS__anime."),
        (
            {"DIFFUSION_URL__anime": "http://a", "DECODER_TOKEN__anime": "x"},
            "DECODER_TOKEN__anime must go with DECODER_URL__anime.",
        ),
        ({"DIFFUSION_URLS__anime": "nowhere"}, "DIFFUSION_URLS__anime must be http(s)://"),
        (
            {"DIFFUSION_URLS__anime": "http://127.0.0.1:8004"},
            "DECODER_URL and DIFFUSION_URLS__anime must differ",
        ),
        (
            {"DIFFUSION_URLS__anime": "http://a", "diffusion_urls__ANIME": "http://b"},
            "must be set once; it is set twice, in capitals and not.",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    assert said in complaint(monkeypatch, **variables)


def test_no_token_of_a_model_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSION_URL__anime", "http://a")
    monkeypatch.setenv("DIFFUSION_TOKEN__anime", "hidden")
    assert "hidden" not in repr(Settings())
    assert "hidden" not in complaint(monkeypatch, STAGE_TIMEOUT="soon")
