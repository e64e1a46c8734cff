"""More work than the stack can do, for long; and many clients that only listen.

`python -m benchmarks.overload` starts stages and gateway as processes, finds how many pictures a second they
make for as many clients as are let in, and has locust's clients come for `--minutes` at `--times` that rate.
It measures the pictures a second, the times of those that are let in, whether others are refused with a
Retry-After that is worth something, memory, and every answer that is neither. Then 500 clients watch a job
that waits behind another one, and cost what they cost. The table, a plot and a JSON go into this folder.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from benchmarks import command, page
from benchmarks.child import Report
from benchmarks.machine import described, facts
from benchmarks.memory import held
from benchmarks.overhead import STAGES, stand_ins
from benchmarks.overload_rows import arrivals_rows, draw, listeners_rows
from benchmarks.results import Results
from benchmarks.trial import Record, Trial
from tests.running import ROOT, Server, running_gateway, running_stage

EVERY_SECONDS = 10.0
"""Each of locust's clients asks so often."""
RECORD = "ARRIVALS"
"""The variable that names the file for what they see."""
BODY = {"prompt": "a red apple on a blue background", "steps": 10}
PLACES = 8
"""Pictures that the gateway has under way at a time."""
CAPACITY_SECONDS = 20
SAMPLE_SECONDS = 1.0
LISTENERS = 500
LISTEN_SECONDS = 30
HELD_SECONDS = 600
COLUMNS = ("what", "measured")


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long too many come (default 10)")
    parser.add_argument("--times", type=float, default=2, help="so many times the capacity (default 2)")
    options = parser.parse_args()
    trials = [
        Trial(
            "arrivals", "benchmarks.overload:arrivals", {"minutes": options.minutes, "times": options.times}
        ),
        Trial(
            "listeners", "benchmarks.overload:listeners", {"clients": LISTENERS, "seconds": LISTEN_SECONDS}
        ),
    ]
    if options.list:
        command.shown(trials)
        return
    results = Results(options.cache / "overload.jsonl")
    command.run(trials, options, results)
    write(results.latest(trials))


def arrivals(report: Report, minutes: float, times: float) -> None:
    """Clients come at so many times the rate at which pictures are made."""
    with _serving({}) as servers, tempfile.TemporaryDirectory() as folder:
        gateway = servers["gateway"]
        report.mark("ready")
        capacity = _capacity(gateway.url)
        report.mark("capacity")
        record, memory = Path(folder) / "arrivals", []
        with _locust(gateway.url, record, times * capacity, minutes * 60) as running:
            while running.poll() is None:
                memory.append({name: held(server.pid)["resident"] for name, server in servers.items()})
                time.sleep(SAMPLE_SECONDS)
        lines = [json.loads(line) for line in record.read_text().splitlines()]
    report.result(capacity=capacity, times=times, seconds=minutes * 60, requests=lines, memories=memory)


def _capacity(url: str) -> float:
    """Pictures a second for as many clients as there are places."""
    until = time.monotonic() + CAPACITY_SECONDS

    def ask_on(number: int) -> int:
        made = 0
        with requests.Session() as session:
            while time.monotonic() < until:
                seed = 1_000_000 * number + made
                response = session.post(f"{url}/v1/txt2img", json={**BODY, "seed": seed}, timeout=60)
                response.raise_for_status()
                made += 1
        return made

    began = time.monotonic()
    with ThreadPoolExecutor(PLACES) as pool:
        made = sum(pool.map(ask_on, range(PLACES)))
    return made / (time.monotonic() - began)


@contextmanager
def _locust(url: str, record: Path, rate: float, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    users = max(1, round(rate * EVERY_SECONDS))
    options = {
        "--locustfile": "benchmarks/arrivals.py",
        "--host": url,
        "--users": str(users),
        "--spawn-rate": str(max(1.0, users / EVERY_SECONDS)),
        "--run-time": f"{seconds:.0f}s",
        "--stop-timeout": "60",
        "--exit-code-on-error": "0",
    }
    given = [word for pair in options.items() for word in pair]
    process = subprocess.Popen(
        [sys.executable, "-m", "locust", "--headless", "--only-summary", *given],
        cwd=ROOT,
        env={**os.environ, RECORD: str(record)},
        stdout=sys.stderr,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def listeners(report: Report, clients: int, seconds: float) -> None:
    """Clients watch a job that waits for its turn behind one that takes long."""
    with _serving({"diffusion": HELD_SECONDS}) as servers, ExitStack() as watching:
        gateway = servers["gateway"]
        jobs = [_job(gateway.url) for _ in range(2)]
        alone = _cost(gateway, seconds)
        for _ in range(clients):
            watching.enter_context(_listener(gateway.url, jobs[1]))
        time.sleep(1)
        watched = _cost(gateway, seconds)
    report.result(clients=clients, alone=alone, watched=watched)


def _job(url: str) -> str:
    response = requests.post(f"{url}/v1/jobs", json={"kind": "txt2img", "request": BODY}, timeout=10)
    response.raise_for_status()
    return str(response.json()["links"]["events"])


@contextmanager
def _listener(url: str, path: str) -> Iterator[None]:
    """Has heard the first event, and then reads no more: what comes is little, and the kernel's."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        heard = b""
        while b"event: queued" not in heard:
            heard += connection.recv(4096)
        yield


def _cost(server: Server, seconds: float) -> dict[str, float]:
    """What it takes of a processor, and its memory in MB."""
    before = _processor_seconds(server.pid)
    time.sleep(seconds)
    used = _processor_seconds(server.pid) - before
    return {"processor": used / seconds, "memory": held(server.pid)["resident"]}


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _serving(held_up: Mapping[str, float]) -> Iterator[dict[str, Server]]:
    """The gateway and its stages with the built-in model; or stand-ins, of which these take so long."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        own = stand_ins(Path(folder)) if held_up else {}
        servers = {
            stage: stack.enter_context(
                running_stage(stage, Path(folder) / f"{stage}.log", **{**own, **_held(stage, held_up)})
            )
            for stage in STAGES
        }
        urls = {f"{stage.upper()}_URL": server.url for stage, server in servers.items()}
        places = "1" if held_up else str(PLACES)
        settings = {"MAX_CONCURRENT_REQUESTS": places, "INPAINTING_URL": "", "STATE_EVERY": "0"}
        log = Path(folder) / "gateway.log"
        servers["gateway"] = stack.enter_context(running_gateway(log, **urls, **settings))
        yield servers


def _held(stage: str, held_up: Mapping[str, float]) -> dict[str, str]:
    return {"STAND_IN_SECONDS": str(held_up[stage])} if stage in held_up else {}


def write(records: Mapping[str, Record]) -> None:
    """The table into the page, the plot and the JSON beside it."""
    machine = facts()
    kept = [{name: value for name, value in one.items() if name != "requests"} for one in records.values()]
    page.keep("overload", machine, kept)
    rows: list[Sequence[str | float | None]] = []
    for name, figures in (("arrivals", arrivals_rows), ("listeners", listeners_rows)):
        record = records.get(name)
        sound = record is not None and "error" not in record
        rows += figures(record) if record and sound else [page.absent([name], record, len(COLUMNS))]
    text = f"{page.table(COLUMNS, rows)}\n\n{described(machine, [])}"
    if "requests" in records.get("arrivals", {}):
        draw(records["arrivals"])
        text += "\n\n![Pictures and refusals a second](results/overload.png)"
    page.fill("overload", text)


if __name__ == "__main__":
    main()
