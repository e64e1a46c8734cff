"""`python scripts/audit.py`: looks for known vulnerabilities in what the images and `make up` install.

pip-audit asks PyPI for each package of the locks. Exit status 1 if there is a finding that
requirements/known-vulnerabilities.txt does not list; where PyPI does not answer, or knows nothing of a
package, it warns and does not fail, as a check must not hang on a network.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).parents[1] / "requirements"
KNOWN = REQUIREMENTS / "known-vulnerabilities.txt"
LOCKS = ("gateway", "stage", "stage-gpu", "stage-jax", "stage-torch", "local")
SECONDS = 240
ANSWER_SECONDS = 10
SHOWN = 5


def main() -> int:
    report = ask(known_ids(KNOWN.read_text()))
    if isinstance(report, str):
        print(f"WARNING: the packages were not audited: {report}", file=sys.stderr)
        return 0
    findings, missed = read(report)
    for finding in findings:
        print(finding)
    if missed:
        shown = ", ".join(missed[:SHOWN]) + (", …" if len(missed) > SHOWN else "")
        print(
            f"WARNING: {len(missed)} of {len(report['dependencies'])} packages were not audited, as this "
            f"index knows nothing of them: {shown}",
            file=sys.stderr,
        )
    if findings:
        print(f"Update them (make lock), or list them in {KNOWN.name} with a reason.", file=sys.stderr)
    return 1 if findings else 0


def ask(known: list[str]) -> dict[str, Any] | str:
    """What pip-audit reports, or why it could not."""
    locks = [part for name in LOCKS for part in ("-r", str(REQUIREMENTS / f"{name}.txt"))]
    ignored = [part for one in known for part in ("--ignore-vuln", one)]
    asking = ["--disable-pip", "--require-hashes", "--format=json", f"--timeout={ANSWER_SECONDS}"]
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner=off", *asking, *locks, *ignored]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"the index did not answer for all of them within {SECONDS} s"
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        return (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
    return report


def read(report: dict[str, Any]) -> tuple[list[str], list[str]]:
    """A sentence for each finding, and the packages that were not looked at."""
    packages = report["dependencies"]
    missed = [package["name"] for package in packages if "skip_reason" in package]
    findings = [
        f"{package['name']} {package['version']}: {finding['id']}, fixed in "
        f"{', '.join(finding['fix_versions']) or 'no version yet'}"
        for package in packages
        for finding in package.get("vulns", [])
    ]
    return list(dict.fromkeys(findings)), list(dict.fromkeys(missed))


def known_ids(text: str) -> list[str]:
    """Of each line its id. ValueError where a line has no reason."""
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    if bare := [line[0] for line in lines if len(line) == 1]:
        raise ValueError(f"{KNOWN.name} must say a reason behind {', '.join(bare)}")
    return [id for id, _ in lines]


if __name__ == "__main__":
    sys.exit(main())
