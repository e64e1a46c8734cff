"""What `make up` hands to docker compose, which a fake stands in for."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.running import ROOT

FAKE_DOCKER = """#!/bin/sh
case "$*" in *" up "*) echo "STAGE_MEMORY=${STAGE_MEMORY:-}"; exit 1;; esac
"""


@pytest.mark.parametrize(
    ("environment", "memory"),
    [
        ({}, ""),
        ({"SD_VERSION": "tiny"}, ""),
        ({"SD_VERSION": "1.4"}, "12g"),
        ({"MODEL": "owner/name"}, "12g"),
        ({"INPAINTING_MODEL": "owner/name"}, "12g"),
        ({"SD_VERSION": "2", "STAGE_MEMORY": "16g"}, "16g"),
    ],
)
def test_a_full_model_has_the_memory_that_it_needs(
    tmp_path: Path, environment: dict[str, str], memory: str
) -> None:
    (tmp_path / "docker").write_text(FAKE_DOCKER)
    (tmp_path / "docker").chmod(0o755)
    own = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MODE": "compose", "MODELS_DIR": str(tmp_path)}
    started = subprocess.run(
        ["scripts/stack.sh", "up"],
        cwd=ROOT,
        env=own | environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert f"STAGE_MEMORY={memory}\n" in started.stdout
