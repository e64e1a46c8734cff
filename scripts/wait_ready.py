"""`python wait_ready.py URL SECONDS`: waits until the gateway at URL says that every stage is ready.

Shows each stage's state whenever one changes. Exit status 1 if a stage failed to load or the time is up.
A gateway that has keys shows errors to those alone who have one, in TRIPTYCH_KEY.
Standard library only: in compose mode it runs inside the gateway's container, from standard input.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any

POLL_SECONDS = 0.5
Stages = list[dict[str, Any]]


def main(url: str, seconds: float) -> int:
    began = time.monotonic()
    shown = ""
    while (passed := time.monotonic() - began) < seconds:
        stages, is_ready = ask(url)
        if (line := describe(stages)) != shown:
            print(f"  {passed:5.1f} s  {line}", flush=True)
            shown = line
        if is_ready:
            return 0
        if failures := [failure for stage in stages for failure in errors(stage)]:
            print("\n".join(failures), file=sys.stderr)
            return 1
        time.sleep(POLL_SECONDS)
    print(f"Not ready after {seconds:g} s: {shown}", file=sys.stderr)
    return 1


def ask(url: str) -> tuple[Stages, bool]:
    """The stages that GET /ready lists, none while nobody answers; and whether all are ready."""
    try:
        with urllib.request.urlopen(_request(f"{url}/ready"), timeout=10) as answer:
            return json.load(answer)["stages"], True
    except urllib.error.HTTPError as error:
        with error:
            return json.load(error)["stages"], False
    except (OSError, http.client.HTTPException):
        return [], False


def _request(url: str) -> urllib.request.Request:
    key = os.environ.get("TRIPTYCH_KEY")
    return urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})


def describe(stages: Stages) -> str:
    """Every stage with its state, in one line."""
    return " · ".join(f"{stage['stage']} {state(stage)}" for stage in stages) or "the gateway is starting"


def state(stage: dict[str, Any]) -> str:
    """The state of each of its replicas."""
    return " and ".join(map(replica_state, stage["replicas"]))


def replica_state(replica: dict[str, Any]) -> str:
    progress = replica["progress"]
    return str(replica["state"]) if progress is None else f"{replica['state']} {progress:.0%}"


def errors(stage: dict[str, Any]) -> list[str]:
    """What the stage's replicas say, if all of them failed to load."""
    failed = [replica for replica in stage["replicas"] if replica["state"] == "failed"]
    if len(failed) < len(stage["replicas"]):
        return []
    return [f"{stage['stage']}: {replica['error'] or 'failed; its log says why'}" for replica in failed]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
