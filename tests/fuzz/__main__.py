"""Looks for inputs that are not refused as they must be, for so many seconds in all.

`python -m tests.fuzz` (`make fuzz FUZZ_SECONDS=600`): first the tests of this folder, with many more
examples, and drawn anew each time; then Atheris, guided by coverage, for each decoder of untrusted bytes an
equal part of the time. What it learns is kept in a folder for the next time; what it finds is a file there,
whose name is shown, and which belongs into tests/fuzz/regressions once it is mended.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import REGRESSIONS, TARGETS
from tests.running import ROOT

MEMORY_MB = 1024
"""More than that, and an input has made it grow."""
INPUT_SECONDS = 5
MOST_BYTES = 64 * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for all targets together (default 600)")
    parser.add_argument("--only", choices=TARGETS, help="one target alone, and no tests")
    parser.add_argument(
        "--corpus",
        type=Path,
        default=Path.home() / ".cache" / "triptych-fuzz",
        help="what was learnt and found (default %(default)s)",
    )
    options = parser.parse_args()
    failed = [] if options.only else _tests()
    names = [options.only] if options.only else list(TARGETS)
    for name in names:
        failed += _target(name, options.corpus / name, max(1, options.seconds // len(names)))
    if failed:
        sys.exit(f"Not refused as it must be: {', '.join(failed)}. The inputs are in {options.corpus}.")


def _tests() -> list[str]:
    command = [sys.executable, "-m", "pytest", "tests/fuzz", "--hypothesis-profile=long", "--timeout=1800"]
    return ["the tests above"] if subprocess.run(command, cwd=ROOT).returncode else []


def _target(name: str, folder: Path, seconds: int) -> list[str]:
    """In a process of its own: what is found may be its end."""
    learnt, found = folder / "corpus", folder / "found"
    for path in (learnt, found, REGRESSIONS / name):
        path.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(name)):
        (learnt / f"seed-{number}").write_bytes(data)
    limits = {
        "max_total_time": seconds,
        "rss_limit_mb": MEMORY_MB,
        "timeout": INPUT_SECONDS,
        "max_len": MOST_BYTES,
        "artifact_prefix": f"{found}{os.sep}",
    }
    given = [f"-{key}={value}" for key, value in limits.items()]
    command = [sys.executable, "-m", "tests.fuzz.guided", name, *given, str(learnt), str(REGRESSIONS / name)]
    return [name] if subprocess.run(command, cwd=ROOT).returncode else []


if __name__ == "__main__":
    main()
