"""What the containers cost: from `docker compose up` to the first picture, image sizes, memory.

`python -m benchmarks.containers` uses the images that are built (`docker compose build`), under a project
and a port of its own.
"""

import json
import os
import subprocess
import time

import requests

from benchmarks.machine import machine
from benchmarks.stack import picture_seconds
from tests.running import ROOT, free_port

COMPOSE = ("docker", "compose", "--project-name", "triptych-benchmark")


def main() -> None:
    port = free_port()
    environment = {**os.environ, "GATEWAY_PUBLISH": f"127.0.0.1:{port}"}
    print(f"machine: {machine()}\n")
    begin = time.monotonic()
    try:
        _run(*COMPOSE, "up", "--detach", environment=environment)
        _wait_until_ready(f"http://127.0.0.1:{port}")
        ready = time.monotonic() - begin
        picture_seconds(f"http://127.0.0.1:{port}")
        first = time.monotonic() - begin
        print("| docker compose up | seconds |\n|---|---|")
        print(f"| until ready | {ready:.1f} |\n| until the first picture | {first:.1f} |\n")
        print(_memory_table(environment))
    finally:
        _run(*COMPOSE, "down", "--volumes", environment=environment)
    print("\n| image | size |\n|---|---|")
    for image in ("triptych-stage:dev", "triptych-gateway:dev"):
        size = int(_run("docker", "image", "inspect", "--format", "{{.Size}}", image))
        print(f"| {image} | {size / 1e6:.0f} MB |")


def _wait_until_ready(url: str) -> None:
    while True:
        try:
            if requests.get(f"{url}/ready", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)


def _memory_table(environment: dict[str, str]) -> str:
    names = _run(*COMPOSE, "ps", "--format", "{{.Name}}", environment=environment).split()
    stats = _run("docker", "stats", "--no-stream", "--format", "{{json .}}", *names).splitlines()
    rows = sorted((row["Name"], row["MemUsage"].split(" / ")[0]) for row in map(json.loads, stats))
    return "\n".join(
        ["| container | memory |", "|---|---|", *(f"| {name} | {used} |" for name, used in rows)]
    )


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    result = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return result.stdout.strip()


if __name__ == "__main__":
    main()
