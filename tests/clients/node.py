"""Scripts for Node.js, with the packages of `js/`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "js"
PACKAGES = SCRIPTS / "node_modules"
OLDEST = 20


def require_node() -> None:
    """Skips the test, and says why, where there is no Node.js or its packages are not installed."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed (Debian, Ubuntu: apt install nodejs npm)")
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(said.removeprefix("v").partition(".")[0]) < OLDEST:
        pytest.skip(f"Node.js {OLDEST} or later is needed; {said.strip()} is installed")
    if not PACKAGES.is_dir():
        pytest.skip("the packages of tests/clients/js are not installed (make test does it, with npm)")


def node(script: Path, *arguments: object, folder: Path | None = None) -> str:
    """What the script writes to standard output; fails with what it says of an error."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        ["node", script, *map(str, arguments)],
        cwd=folder or SCRIPTS,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
