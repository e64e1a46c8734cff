"""What the audit makes of pip-audit's report, and of none."""

import json
import subprocess
from typing import Any

import pytest

from scripts import audit

FOUND = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
SOUND = {"name": "b", "version": "1", "vulns": []}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found on PyPI"}


def answering(monkeypatch: pytest.MonkeyPatch, *packages: dict[str, Any]) -> None:
    """pip-audit reports these packages, or breaks off where there are none."""
    said = json.dumps({"dependencies": packages}) if packages else ""

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, bool(said), said, "first\nno connection")

    monkeypatch.setattr(subprocess, "run", run)


def test_a_finding_fails_and_says_what_mends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, FOUND, SOUND)
    assert audit.main() == 1
    assert capsys.readouterr().out == "a 1: PYSEC-1, fixed in 2\n"


def test_what_was_not_looked_at_is_no_all_clear(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, SOUND, UNKNOWN)
    assert audit.main() == 0
    assert "WARNING: 1 of 2 packages were not audited" in capsys.readouterr().err


def test_where_nobody_answers_it_warns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch)
    assert audit.main() == 0
    assert capsys.readouterr().err == "WARNING: the packages were not audited: no connection\n"


def test_what_is_known_has_a_reason() -> None:
    assert audit.known_ids("# why\nPYSEC-1 not reached by us\n\n") == ["PYSEC-1"]
    with pytest.raises(ValueError, match="PYSEC-1"):
        audit.known_ids("PYSEC-1\n")
    audit.known_ids(audit.KNOWN.read_text())


def test_every_lock_that_it_looks_at_is_there() -> None:
    assert all((audit.REQUIREMENTS / f"{name}.txt").exists() for name in audit.LOCKS)
