"""Making a key."""

from pathlib import Path

import pytest

from gateway.keys.__main__ import main
from gateway.keys.key import Limits, digest_of, read_keys

DEFAULTS = Limits(60, 4, 50)


def test_it_shows_a_key_and_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "ann", "--rate", "5"]) == 0
    _, token, _, line = (text.strip() for text in capsys.readouterr().out.splitlines())
    (key,) = read_keys(line, "X", DEFAULTS)
    assert (key.name, key.digest, key.limits.rate) == ("ann", digest_of(token), 5)


def test_it_adds_the_line_to_a_file_and_shows_the_key_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys"
    file.write_text("# ours")
    monkeypatch.setenv("GATEWAY_KEYS_FILE", str(file))
    tokens = []
    for name in ("ann", "bob"):
        assert main(["new", name]) == 0
        tokens.append(capsys.readouterr().out.strip())
    keys = list(read_keys(file.read_text(), "X", DEFAULTS))
    assert [(key.name, key.digest) for key in keys] == [
        (name, digest_of(token)) for name, token in zip(("ann", "bob"), tokens, strict=True)
    ]


def test_what_it_cannot_do_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["new", "a b"], ["new", "ann", "--jobs", "0"], ["new"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    assert main(["new", "ann", "--file", str(tmp_path / "none" / "keys")]) == 2
    assert "must name a file to write to" in capsys.readouterr().err
