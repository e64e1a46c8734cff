import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from host.settings import Settings
from tests.running import ROOT

from .conftest import ECHO, write_handler


def test_every_field_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAGE", "echo")
    monkeypatch.setenv("PORT", "8002")
    monkeypatch.setenv("HANDLERS_DIR", str(write_handler(tmp_path, ECHO)))
    settings = Settings()
    assert (settings.stage, settings.port) == ("echo", 8002)
    assert settings.handler_dir == tmp_path / "echo"
    assert settings.host == "127.0.0.1"


def test_an_unknown_stage_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="got 'painter', there are: echo"):
        Settings(stage="painter", handlers_dir=write_handler(tmp_path, ECHO))


def test_facades_are_other_stages_of_the_same_folder(tmp_path: Path) -> None:
    folder = write_handler(write_handler(tmp_path, ECHO), ECHO, "second")
    settings = Settings(stage="echo", handlers_dir=folder, facades="second")
    assert settings.facade_names == ["second"]
    assert Settings(stage="echo", handlers_dir=folder).facade_names == []


@pytest.mark.parametrize(
    ("facades", "said"),
    [
        ("painter", "FACADES must be a folder of HANDLERS_DIR .* got 'painter', there are: echo, second"),
        ("echo", "FACADES must name other stages than echo, each once; got echo"),
        ("second,second", "FACADES must name other stages than echo, each once; got second,second"),
        ("../second", "pattern"),
        ("second,", "pattern"),
    ],
)
def test_facades_that_cannot_be_served_are_refused(tmp_path: Path, facades: str, said: str) -> None:
    folder = write_handler(write_handler(tmp_path, ECHO), ECHO, "second")
    with pytest.raises(ValidationError, match=said):
        Settings(stage="echo", handlers_dir=folder, facades=facades)


def test_a_stage_is_a_name_and_not_a_path(tmp_path: Path) -> None:
    write_handler(tmp_path, ECHO)
    with pytest.raises(ValidationError, match="pattern"):
        Settings(stage="../echo", handlers_dir=tmp_path / "other")


def test_a_bad_environment_ends_the_program_with_a_sentence(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "host"],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "services"),
            "STAGE": "echo",
            "HANDLERS_DIR": str(write_handler(tmp_path, ECHO)),
            "PORT": "eighty",
        },
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("PORT: Input should be a valid integer")
    assert "Traceback" not in ended.stderr
