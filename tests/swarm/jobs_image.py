"""An image of this machine's Redis under Valkey's names, as Valkey's own may be out of reach."""

import shutil
import tempfile
from pathlib import Path

import pytest

from .nodes import sh

BASE = "python:3.11-slim-bookworm"
OF_THE_BASE = ("libc.so", "libm.so", "ld-linux")
DOCKERFILE = f"""\
FROM {BASE}
COPY . /opt/redis/
RUN for name in server cli; do \\
        printf '#!/bin/sh\\nLD_LIBRARY_PATH=/opt/redis exec /opt/redis/redis-%s "$@"\\n' $name \\
            > /usr/local/bin/valkey-$name && chmod 755 /usr/local/bin/valkey-$name; \\
    done && mkdir /data && chown 999:1000 /data
WORKDIR /data
"""


def build_jobs_image(tag: str) -> None:
    """Skips where there is no Redis."""
    programs = [shutil.which(f"redis-{name}") for name in ("server", "cli")]
    if None in programs:
        pytest.skip("needs redis-server and redis-cli (Debian: apt install redis-server)")
    with tempfile.TemporaryDirectory() as folder:
        for program in filter(None, programs):
            shutil.copy(Path(program).resolve(), Path(folder) / Path(program).name)
            for library in _libraries(program):
                shutil.copy(library, folder)
        (Path(folder) / "Dockerfile").write_text(DOCKERFILE)
        sh("docker", "build", "--quiet", "--tag", tag, folder)


def _libraries(program: str) -> list[str]:
    """What it is linked with, beside what every program is."""
    lines = (line.split() for line in sh("ldd", program).splitlines() if "=> /" in line)
    return [path for name, _, path, *_ in lines if not name.startswith(OF_THE_BASE)]
