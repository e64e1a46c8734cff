"""A gateway that asks for a key, from the command line."""

from pathlib import Path

import pytest

from gateway.keys.key import line_of
from tests.unit.gateway.conftest import StartGateway
from triptych_client.__main__ import main

KEY = "triptych_of-ann"


@pytest.fixture
def url(start_gateway: StartGateway) -> str:
    return str(start_gateway(gateway_keys=line_of("ann", KEY)).base_url)


@pytest.mark.parametrize("by", ["option", "environment"])
def test_the_key_is_sent(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    out = tmp_path / "apple.png"
    given = ["--key", KEY] if by == "option" else []
    monkeypatch.setenv("TRIPTYCH_KEY", KEY if by == "environment" else "")
    assert main(["generate", "a red apple", "-o", str(out), "--url", url, *given]) == 0
    assert out.exists()
    assert main(["stages", "--url", url, *given]) == 0
    said = capsys.readouterr()
    assert KEY not in said.out + said.err


def test_a_key_that_is_missing_or_wrong_is_said_with_where_it_goes(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for given in ([], ["--key", "wrong"]):
        assert main(["generate", "a red apple", "-o", str(tmp_path / "a.png"), "--url", url, *given]) == 1
        assert "Here it is --key, or TRIPTYCH_KEY." in capsys.readouterr().err
    assert main(["stages", "--url", url, "--key", "schlüssel"]) == 2


def test_the_help_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRIPTYCH_KEY", KEY)
    with pytest.raises(SystemExit):
        main(["stages", "--help"])
    assert KEY not in capsys.readouterr().out
