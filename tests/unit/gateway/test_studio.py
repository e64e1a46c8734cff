"""The studio's page and files, as they are served."""

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from gateway.studio import FOLDER

SCRIPTS = sorted(FOLDER.glob("studio/*.js"))
OTHER_HOST = re.compile(r"(?:https?:)?//[a-z0-9-]+\.[a-z]")
NAMESPACE = "http://www.w3.org/2000/svg"


def test_the_page_is_at_the_root_and_may_load_its_own_files_alone(gateway: httpx.Client) -> None:
    answer = gateway.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "img-src 'self' data: blob:" in policy
    assert "unsafe" not in policy
    assert gateway.head("/").status_code == 200


def test_every_file_that_it_names_is_there_and_asked_for_anew(gateway: httpx.Client) -> None:
    links = re.findall(r'(?:src|href)="(web/[^"#]+)', gateway.get("/").text)
    assert len(links) > 4
    for link in links:
        answer = gateway.get(f"/{link}")
        assert answer.status_code == 200, link
        assert answer.headers["cache-control"] == "no-cache"
        unchanged = gateway.get(f"/{link}", headers={"If-None-Match": answer.headers["etag"]})
        assert unchanged.status_code == 304


def test_files_beside_the_page_are_not_served(gateway: httpx.Client) -> None:
    assert gateway.get("/web/../studio.py").status_code == 404
    answer = gateway.get("/web/%2e%2e/studio.py")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "NotFound")


def test_no_script_or_style_is_within_the_page() -> None:
    page = (FOLDER / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]+src=)", page)


def test_every_symbol_that_is_used_is_drawn() -> None:
    drawn = set(re.findall(r'symbol id="(\w+)"', (FOLDER / "icons.svg").read_text()))
    used = set(re.findall(r"icons\.svg#(\w+)", (FOLDER / "index.html").read_text()))
    assert used <= drawn


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.*")), ids=lambda path: path.name)
def test_no_file_names_another_host(path: Path) -> None:
    text = path.read_text().replace(NAMESPACE, "")
    assert not OTHER_HOST.search(text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_short_and_sound(script: Path) -> None:
    text = script.read_text()
    assert text.count("\n") < 200
    if node := shutil.which("node"):
        checked = subprocess.run(
            [node, "--input-type=module", "--check", "-"], input=text, capture_output=True, text=True
        )
        assert checked.returncode == 0, checked.stderr
