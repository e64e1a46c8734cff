"""What the stack costs with the built-in model: start, memory, and seconds a picture.

`python -m benchmarks.stack` starts every stage and the gateway as processes, one after another, so
that none waits for another's processor time, and prints a table.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import requests

from benchmarks.machine import machine
from tests.running import Server, running_gateway, running_stage

STAGES = ("text_encoder", "diffusion", "inpainting", "decoder")
PROMPT = {"prompt": "a red apple on a blue background", "steps": 25, "output_format": "png"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=20, help="pictures to time (default 20)")
    arguments = parser.parse_args()
    print(f"machine: {machine()}\n")
    with tempfile.TemporaryDirectory() as logs, ExitStack() as stack:
        servers = {name: stack.enter_context(running_stage(name, Path(logs) / name)) for name in STAGES}
        urls = {f"{name.upper()}_URL": server.url for name, server in servers.items()}
        gateway = stack.enter_context(running_gateway(Path(logs) / "gateway", **urls))
        seconds = sorted(picture_seconds(gateway.url) for _ in range(arguments.pictures))
        print("\n".join(_process_rows({**servers, "gateway": gateway})))
    median = statistics.median(seconds)
    fastest, slowest = seconds[0], seconds[-1]
    print(f"\n25-step picture through the gateway: median {median:.2f} s, {fastest:.2f} to {slowest:.2f} s")


def picture_seconds(url: str) -> float:
    """Seconds until the gateway at this address has answered with one 25-step picture."""
    begin = time.perf_counter()
    response = requests.post(f"{url}/v1/txt2img", json=PROMPT, headers={"Accept": "image/png"}, timeout=60)
    response.raise_for_status()
    return time.perf_counter() - begin


def _process_rows(servers: dict[str, Server]) -> Iterator[str]:
    yield "| process | seconds to ready | memory after the pictures, MB | at most, MB |"
    yield "|---|---|---|---|"
    for name, server in servers.items():
        yield f"| {name} | {server.seconds:.1f} | {server.memory():.0f} | {server.memory('VmHWM'):.0f} |"


if __name__ == "__main__":
    main()
