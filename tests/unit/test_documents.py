"""What the documents say is there, is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import inherited_environment

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "DESIGN.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTS += [*ROOT.glob("services/**/README.md"), *ROOT.glob("*/README.md"), *ROOT.glob("docs/*/*.md")]


def test_the_tables_of_settings_are_as_the_settings_say() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "readme.py", "--check"],
        env=inherited_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("document", sorted(set(DOCUMENTS)), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    assert not [link for link in links if not (document.parent / link).exists()]


def test_who_contributes_is_told_of_every_check() -> None:
    told = re.findall(r"^make ([a-z-]+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    checks = {name for name in targets if name.startswith("test")} | {"check", "faults", "fuzz"}
    assert checks == set(told)


def test_the_make_targets_and_compose_files_that_are_named_exist() -> None:
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"(?:^|`|&& )make ([a-z-]+)", text, re.MULTILINE))
    assert named <= set(targets)
    assert all((ROOT / name).exists() for name in re.findall(r"compose/[a-z-]+\.yaml", text))
