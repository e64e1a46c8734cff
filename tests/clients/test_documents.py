"""The very lines of the pages in docs/clients, pasted and run."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.keys.key import line_of, new_token
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
from tests.conftest import StageUrl
from tests.running import inherited_environment, running_gateway
from tests.tiny import PICTURE

PAGES = sorted((Path(__file__).parents[2] / "docs" / "clients").glob("*.md"))
ADDRESS = "http://127.0.0.1:8000"
PLACEHOLDER = "triptych_YOUR-KEY"
STAGES = ("text_encoder", "diffusion", "inpainting", "decoder")
BLUR_MARGIN = 14
"""Pixels around a mask that AUTOMATIC1111's blurred edge reaches."""


@pytest.fixture(scope="module")
def guarded(stage_url: StageUrl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of a gateway that asks for a key, and its key."""
    key, urls = new_token(), {f"{stage.upper()}_URL": stage_url(stage) for stage in STAGES}
    log = tmp_path_factory.mktemp("guarded") / "gateway.log"
    with running_gateway(log, GATEWAY_KEYS=line_of("reader", key), **urls) as server:
        yield server.url, key


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
def test_the_lines_make_pictures(page: Path, folder: Path, guarded: tuple[str, str]) -> None:
    url, key = guarded
    python, javascript = (
        lines(page, language, url).replace(PLACEHOLDER, key) for language in ("python", "js")
    )
    assert bool(python) != bool(javascript)
    assert key in (python or javascript)
    if python:
        run_python(python, folder)
    else:
        require_node()
        (folder / "node_modules").symlink_to(PACKAGES)
        (folder / "page.mjs").write_text(javascript)
        node(folder / "page.mjs", folder=folder)
    assert opened((folder / "apple.png").read_bytes()).size in ((512, 512), PICTURE)
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
