"""A stage that has a secret."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from host.settings import Settings

from .conftest import ECHO, Process, Serve, wait_until, write_handler

SECRET = "not-to-be-guessed"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def stage(serve: Serve) -> httpx.Client:
    return serve(stage_secret=SECRET)


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("wrong"), bearer(SECRET[:-1]), {"Authorization": SECRET}, bearer("\xe9")],
)
def test_who_does_not_know_it_is_answered_as_hugging_face_answers(
    stage: httpx.Client, headers: dict[str, str]
) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    for method, path in (
        ("POST", "/"),
        ("POST", "/predict"),
        ("GET", "/"),
        ("GET", "/info"),
        ("GET", "/metrics"),
        ("DELETE", "/jobs/health"),
        ("POST", "/remote_decode"),
        ("GET", "/nowhere"),
    ):
        answer = stage.request(method, path, headers=raw)
        assert answer.status_code == 401, path
        assert answer.json() == {"error": "401 Unauthorized", "code": "UNAUTHORIZED"}
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_who_knows_it_uses_the_stage(stage: httpx.Client) -> None:
    assert stage.post("/", json={"inputs": 1}, headers=bearer(SECRET)).json() == 1
    assert stage.get("/metrics", headers=bearer(SECRET)).status_code == 200


def test_that_it_lives_and_is_ready_is_told_to_everybody(stage: httpx.Client) -> None:
    assert stage.get("/health").text == "Ok"
    assert stage.get("/ready").json()["state"] == "warm"


def test_the_metrics_can_be_open_and_nothing_else_is(serve: Serve) -> None:
    stage = serve(stage_secret=SECRET, metrics_open=True)
    assert stage.get("/metrics").status_code == 200
    for method, path in (("POST", "/"), ("POST", "/metrics"), ("GET", "/"), ("GET", "/info")):
        assert stage.request(method, path).status_code == 401, path


def test_the_secret_may_be_in_a_file(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    stage = serve(stage_secret_file=file)
    assert stage.post("/", json={"inputs": 1}).status_code == 401
    assert stage.post("/", json={"inputs": 1}, headers=bearer(SECRET)).status_code == 200


def settings(folder: Path, **given: object) -> Settings:
    write_handler(folder, ECHO)
    return Settings.model_validate({"stage": "echo", "handlers_dir": folder, **given})


def test_a_secret_that_was_meant_and_is_not_there_is_missed(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, said in (("empty", "must hold a secret"), ("none", "must name a readable text file")):
        with pytest.raises(ValidationError, match=said):
            settings(tmp_path, stage_secret_file=tmp_path / name)
    with pytest.raises(ValidationError, match="not both"):
        settings(tmp_path, stage_secret_file=tmp_path / "empty", stage_secret=SECRET)


@pytest.mark.parametrize(
    ("given", "exposed"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "stage.example"}, True),
        ({"host": "0.0.0.0", "stage_secret": SECRET}, False),
    ],
)
def test_a_stage_that_others_can_reach_without_one_is_exposed(
    tmp_path: Path, given: dict[str, str], exposed: bool
) -> None:
    assert settings(tmp_path, **given).is_exposed == exposed


@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.0.0.2", "[::1]", "localhost"])
def test_a_stage_that_is_published_on_its_machine_alone_needs_none(tmp_path: Path, address: str) -> None:
    assert not settings(tmp_path, stages_publish=address).secret


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]", "10.0.0.2", "stage.example"])
def test_published_to_others_it_does_not_start_without_and_says_how_to_make_one(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises(ValidationError, match=r"STAGES_PUBLISH lets others .* STAGE_SECRET.* `openssl rand"):
        settings(tmp_path, stages_publish=address)
    (tmp_path / "secret").write_text(SECRET)
    for given in ({"stage_secret": SECRET}, {"stage_secret_file": tmp_path / "secret"}):
        assert settings(tmp_path, stages_publish=address, **given).secret == SECRET


def test_an_exposed_stage_says_so_when_it_starts(process: Callable[..., Process]) -> None:
    started = process(ECHO, HOST="0.0.0.0")
    wait_until(lambda: _answers(started.client))
    started.popen.terminate()
    _, log = started.finish(20)
    (line,) = [line for line in log.splitlines() if "warning" in line]
    assert "set STAGE_SECRET" in line


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False
