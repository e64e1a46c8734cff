"""The very lines of the pages in docs/clients, pasted and run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.node import PACKAGES, node, require_node
from tests.clients.pictures import (
    HEIGHT,
    WIDTH,
    assert_painted_in_the_box,
    file_of,
    noise,
    opened,
    transparent_mask,
    white_mask,
)
from tests.running import inherited_environment

PAGES = sorted((Path(__file__).parents[2] / "docs" / "clients").glob("*.md"))
ADDRESS = "http://127.0.0.1:8000"
BLUR_MARGIN = 14
"""Pixels around a mask that AUTOMATIC1111's blurred edge reaches."""


def lines(page: Path, language: str, url: str) -> str:
    """The page's code in this language, with the gateway's address in the place of the usual one."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    port = url.rpartition(":")[2]
    code = "\n".join(blocks).replace(ADDRESS, url)
    return code.replace("port=8000", f"port={port}").replace("port: 8000", f"port: {port}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the pages' files are."""
    files = {"photo": noise(), "mask": white_mask(), "transparent": transparent_mask()}
    for name, image in files.items():
        (tmp_path / f"{name}.png").write_bytes(file_of(image))
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_lines_make_pictures(page: Path, folder: Path, gateway_url: str) -> None:
    python, javascript = (lines(page, language, gateway_url) for language in ("python", "js"))
    assert bool(python) != bool(javascript)
    if python:
        run_python(python, folder)
    else:
        require_node()
        (folder / "node_modules").symlink_to(PACKAGES)
        (folder / "page.mjs").write_text(javascript)
        node(folder / "page.mjs", folder=folder)
    assert opened((folder / "apple.png").read_bytes()).size in ((512, 512), (64, 64))
    if (folder / "painted.png").exists():
        painted = opened((folder / "painted.png").read_bytes())
        assert painted.size == (WIDTH, HEIGHT)
        assert_painted_in_the_box(painted, BLUR_MARGIN)


def run_python(code: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=inherited_environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
