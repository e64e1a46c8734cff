"""What uv is told of pip's settings, and what happens where it fails."""

import subprocess
from typing import Any

import pytest

from scripts import install

ALIKE = {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def test_uv_asks_the_indexes_that_pip_asks() -> None:
    listed = """
global.extra-index-url='file:///one/simple\\nfile:///two/simple'
global.find-links='/wheels https://wheels.example'
global.index-url='https://a.example/simple'
global.constraint='/etc/constraints.txt'
:env:.cert='/etc/ca.crt'
"""
    assert install.settings(listed) == ALIKE | {
        "UV_DEFAULT_INDEX": "https://a.example/simple",
        "UV_INDEX": "file:///one/simple file:///two/simple",
        "UV_FIND_LINKS": "/wheels,https://wheels.example",
        "SSL_CERT_FILE": "/etc/ca.crt",
    }


def test_a_variable_counts_before_a_file_and_a_command_before_all_commands() -> None:
    files = "install.index-url='https://b.example'\nglobal.index-url='https://a.example'\n"
    assert install.settings(files)["UV_DEFAULT_INDEX"] == "https://b.example"
    variable = ":env:.index-url='https://c.example'\n"
    assert install.settings(variable + files)["UV_DEFAULT_INDEX"] == "https://c.example"


@pytest.mark.parametrize(("uv", "pip", "status"), [(0, None, 0), (2, 0, 0), (2, 1, 1)])
def test_pip_installs_what_uv_could_not(
    monkeypatch: pytest.MonkeyPatch, uv: int, pip: int | None, status: int
) -> None:
    ends = {str(install.UV): uv, "install": pip}
    asked = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if "config" in command:
            return subprocess.CompletedProcess(command, 0, "")
        who = "install" if "-m" in command else command[0]
        asked.append((who, command[-2:]))
        return subprocess.CompletedProcess(command, ends[who] or 0)

    monkeypatch.setattr(subprocess, "run", run)
    assert install.main(["-r", "some.txt"]) == status
    expected = [str(install.UV)] if pip is None else [str(install.UV), "install"]
    assert asked == [(who, ["-r", "some.txt"]) for who in expected]
