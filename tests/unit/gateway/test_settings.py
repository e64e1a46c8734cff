"""The environment, and what of it is refused."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.addresses import STAGES
from gateway.settings import Settings, markdown_table, sentences
from tests.running import ROOT, inherited_environment

ENDPOINT = "https://abc.eu-west-1.aws.endpoints.huggingface.cloud"


def complaint(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """What the gateway says of these variables when it refuses to start."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError) as refused:
        Settings()
    return "\n".join(sentences(refused.value))


def url(stage: str) -> str:
    """The stage's one address with the environment as it is; empty where it is off."""
    return "".join(place.url for place in Settings().places(stage))


def tokens(stage: str, model: str | None = None) -> list[str | None]:
    """The token of each of the stage's addresses, with the environment as it is."""
    places = Settings().places(stage, model)
    return [place.token.get_secret_value() if place.token else None for place in places]


def test_the_four_stages_are_expected_on_their_ports_of_this_machine() -> None:
    assert [url(stage) for stage in STAGES] == [
        "http://127.0.0.1:8001",
        "http://127.0.0.1:8002",
        "http://127.0.0.1:8003",
        "http://127.0.0.1:8004",
        "",
    ]


def test_with_one_stage_for_everything_the_others_are_off_unless_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_IN_ONE_URL", "http://all:8000/")
    monkeypatch.setenv("DECODER_URL", "http://decoder:8000")
    assert url("all_in_one") == "http://all:8000"
    assert url("decoder") == "http://decoder:8000"
    assert url("diffusion") == ""


@pytest.mark.parametrize("named", ["http://a:1, http://b:1", "http://a:1", "http://b:1"])
def test_a_list_counts_beside_itself_and_beside_an_address_of_it(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("DECODER_URL", named)
    monkeypatch.setenv("DECODER_URLS", "http://a:1, http://b:1")
    assert [place.url for place in Settings().places("decoder")] == ["http://a:1", "http://b:1"]
    said = complaint(monkeypatch, DECODER_URL="http://c:1")
    assert said == "Set DECODER_URL or DECODER_URLS, not both."


def test_with_a_list_for_everything_the_others_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_IN_ONE_URLS", "http://a:1,http://b:1")
    assert [len(Settings().places(stage)) for stage in STAGES] == [0, 0, 0, 0, 2]


def test_an_empty_address_switches_a_stage_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINTING_URL", "")
    assert url("inpainting") == ""


def test_with_every_stage_off_the_gateway_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {f"{stage.upper()}_URL": "" for stage in STAGES}
    assert "set TEXT_ENCODER_URL" in complaint(monkeypatch, **variables)


@pytest.mark.parametrize(
    "url",
    [
        "decoder:8000",
        "ftp://decoder",
        "http://",
        "http://decoder:0x",
        "http://d?a=1",
        "http://d d",
        "http://[x",
        "http://xn--\x7f",
    ],
)
def test_what_is_no_address_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    said = complaint(monkeypatch, DECODER_URL=url)
    assert "DECODER_URL must be http(s)://host[:port][/path] or empty" in said


def test_two_stages_at_one_address_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = complaint(monkeypatch, DECODER_URL="http://127.0.0.1:8002/")
    assert "DIFFUSION_URL and DECODER_URL must differ" in said


def test_a_number_that_is_none_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = complaint(monkeypatch, STAGE_TIMEOUT="soon", GATEWAY_PORT="70000")
    assert "STAGE_TIMEOUT: Input should be a valid number" in said
    assert "got a string of 4 characters 'soon'" in said
    assert "GATEWAY_PORT" in said


def test_a_token_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_abc\n")
    monkeypatch.setenv("DECODER_TOKEN_FILE", str(tmp_path / "token"))
    assert tokens("decoder") == ["hf_abc"]


def test_a_token_and_its_file_together_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_abc")
    said = complaint(monkeypatch, DECODER_TOKEN="hf_other", DECODER_TOKEN_FILE=str(tmp_path / "token"))
    assert said == "Set DECODER_TOKEN or DECODER_TOKEN_FILE, not both."


def test_a_token_file_that_is_missing_or_empty_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "must name a readable text file" in complaint(monkeypatch, HF_TOKEN_FILE=str(tmp_path / "none"))
    (tmp_path / "empty").write_text("\n")
    assert "must name a file that holds a token" in complaint(
        monkeypatch, HF_TOKEN_FILE=str(tmp_path / "empty")
    )


def test_empty_tokens_are_none_as_compose_hands_on_unset_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setenv("HF_TOKEN_FILE", "")
    monkeypatch.setenv("DECODER_TOKEN", " ")
    assert Settings().hf_token is None
    assert tokens("decoder") == [None]


def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    said = complaint(monkeypatch, DECODER_TOKEN="hf_ä")
    assert said == "DECODER_TOKEN must be printable ASCII characters."


def test_the_hugging_face_token_goes_to_hugging_face_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    monkeypatch.setenv("DIFFUSION_URL", ENDPOINT)
    assert tokens("diffusion") == ["hf_abc"]
    assert tokens("decoder") == [None]


def test_a_stages_own_token_comes_before_the_hugging_face_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HF_TOKEN": "hf_abc", "DIFFUSION_TOKEN": "own", "DIFFUSION_URL": ENDPOINT}.items():
        monkeypatch.setenv(name, value)
    assert tokens("diffusion") == ["own"]


def test_no_token_shows_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    monkeypatch.setenv("DECODER_TOKEN", "hf_def")
    assert "hf_" not in repr(Settings()).replace("hf_token", "")


def test_no_token_shows_when_settings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = complaint(monkeypatch, HF_TOKEN="hf_abc", DECODER_URL="http://user:pass@x?y", STAGE_TIMEOUT="x")
    assert "hf_abc" not in said
    assert "pass" not in said


def test_a_user_name_beside_a_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = complaint(monkeypatch, DECODER_URL="http://user:pass@decoder", DECODER_TOKEN="abc")
    assert "DECODER_URL must not hold a user name" in said


def test_shapes_of_plain_endpoints_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIN_SHAPES", "context=77x1024, latent=64x64x4")
    assert Settings().plain_shapes == {"context": (77, 1024), "latent": (64, 64, 4)}


def test_shapes_that_are_none_are_refused_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    said = complaint(monkeypatch, PLAIN_SHAPES="latent=64,64,4")
    assert said == "PLAIN_SHAPES must be like context=77x768,latent=64x64x4; got '64'."


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError):
        Settings().gateway_port = 1  # type: ignore[misc]


def test_the_table_has_every_variable_with_its_meaning() -> None:
    rows = markdown_table().splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        variable = "<STAGE>_URLS__<model>" if name == "models" else name.upper()
        (row,) = (row for row in rows if row.startswith(f"| `{variable}`"))
        assert field.description
        assert field.description in row
    assert "`DECODER_TOKEN_FILE`" in markdown_table()
    assert "`DECODER_TOKENS_FILE`" in markdown_table()


def test_the_table_is_printed_by_one_command() -> None:
    command = [sys.executable, "-m", "gateway.settings"]
    printed = subprocess.check_output(command, cwd=ROOT, env=inherited_environment(), text=True)
    assert printed.rstrip() == markdown_table()


def test_hosts_of_webhooks_are_a_list_and_none_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().webhook_hosts == frozenset()
    monkeypatch.setenv("WEBHOOK_HOSTS", "Hooks.example, 10.0.0.5:9000,[::1]:9000,")
    assert Settings().webhook_hosts == {"hooks.example", "10.0.0.5:9000", "[::1]:9000"}


@pytest.mark.parametrize("hosts", ["https://hooks.example", "hooks.example/path", "*", "a@b", "a b"])
def test_a_host_of_webhooks_is_a_name_or_an_address(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    said = complaint(monkeypatch, WEBHOOK_HOSTS=hosts)
    assert said.startswith("WEBHOOK_HOSTS must be names or addresses of hosts")


@pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey", "valkeys"])
def test_jobs_are_shared_in_a_server_with_a_password_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scheme: str
) -> None:
    (tmp_path / "password").write_text("sesame\n")
    monkeypatch.setenv("JOBS_URL", f"{scheme}://me@jobs.example:6379/1")
    monkeypatch.setenv("JOBS_PASSWORD_FILE", str(tmp_path / "password"))
    settings = Settings()
    assert settings.jobs_url == f"{scheme}://me@jobs.example:6379/1"
    assert settings.jobs_password and settings.jobs_password.get_secret_value() == "sesame"
    assert "sesame" not in repr(settings)


@pytest.mark.parametrize("url", ["jobs:6379", "http://jobs", "redis://", "redis://a:x", "redis://:pass@"])
def test_another_address_for_jobs_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    said = complaint(monkeypatch, JOBS_URL=url)
    assert said.startswith("JOBS_URL must be the address of a server, such as redis://host:6379/0")
    assert "pass" not in said


def test_a_password_file_that_is_empty_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    assert "must name a file that holds a password" in complaint(
        monkeypatch, JOBS_PASSWORD_FILE=str(tmp_path / "empty")
    )
