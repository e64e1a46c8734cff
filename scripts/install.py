"""`python scripts/install.py -r FILE`: what `pip install` does, by uv, which takes a fraction of the time.

uv reads none of pip's settings: those that say where packages come from are handed to it. Where uv cannot
fetch them all the same, as with a keyring or a proxy that pip alone was told of, pip does it.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

UV = Path(sys.executable).with_name("uv")
NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
SEPARATED_BY_COMMAS = ("find-links",)
SECTIONS = ("global", "install", ":env:")
"""The later ones count before the earlier ones."""


def main(arguments: list[str]) -> int:
    pip = [sys.executable, "-m", "pip"]
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=True).stdout
    uv = [str(UV), "pip", "install", "--python", sys.executable, *arguments]
    if subprocess.run(uv, env={**settings(listed), **os.environ}).returncode == 0:
        return 0
    print("uv could not install them: pip tries it", file=sys.stderr)
    return subprocess.run([*pip, "install", *arguments]).returncode


def settings(listed: str) -> Mapping[str, str]:
    """What uv's variables are where `pip config list` says this.

    As for pip, every index counts alike: what is installed is held to hashes.
    """
    given = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for section in SECTIONS:
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            where, _, name = key.partition(".")
            if where == section and name in NAMES:
                parts = str(ast.literal_eval(value)).split()
                given[NAMES[name]] = ("," if name in SEPARATED_BY_COMMAS else " ").join(parts)
    return given


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
