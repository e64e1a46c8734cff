"""What it is worth that requests share the calls of the UNet.

`python -m benchmarks.batching` starts the diffusion stage with the built-in model, as it is and with batching
off, and a server that runs keras-cv's own loop for one request after the other, and asks each for latents:
from 1, 4 and 16 clients at once, and for short ones among long ones. It writes a table, a plot and a JSON
into this folder, and goes on where it was stopped.
"""

import base64
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import requests

from benchmarks import command, page, plot
from benchmarks.bookkeeping import milliseconds_a_step
from benchmarks.child import Report
from benchmarks.machine import described, facts
from benchmarks.results import Results
from benchmarks.trial import Record, Trial
from tests.running import running_stage
from tests.tiny import SIDE

SERVERS = {
    "engine": "Triptych",
    "unbatched": "Triptych, batching off",
    "fifo": "keras-cv's loop, one after the other",
}
CLIENTS = (1, 4, 16)
STEPS = 25
LONG_STEPS, SHORT_STEPS = 100, 5
LONG_CLIENTS = 4
PICTURES = {1: 12, 4: 24, 16: 64}
SHORT_REQUESTS = 30
MOST_SECONDS = 60
COLUMNS = (
    "server",
    *(f"pictures a second, {clients} at once" for clients in CLIENTS),
    "short among long: p50, s",
    "p95, s",
)


def main() -> None:
    options = command.parser(__doc__).parse_args()
    trials = [_trial(server) for server in SERVERS] + [Trial("bookkeeping", "benchmarks.batching:book", {})]
    if options.list:
        command.shown(trials)
        return
    results = Results(options.cache / "batching.jsonl")
    command.run(trials, options, results)
    write(results.latest(trials))


def _trial(server: str) -> Trial:
    return Trial(server, "benchmarks.batching:measure", {"server": server})


def measure(report: Report, server: str) -> None:
    """Pictures a second for each number of clients, and the seconds of short requests among long ones."""
    with serving(server) as url:
        report.mark("ready")
        asker = Asker(url)
        asker(STEPS)
        rates = {}
        for clients in CLIENTS:
            rates[str(clients)] = throughput(asker, clients, PICTURES[clients])
            report.mark(f"{clients} at once: {rates[str(clients)]:.2f} a second")
        short = short_among_long(asker)
        report.result(rates=rates, short=short)


@contextmanager
def serving(server: str) -> Iterator[str]:
    """The address of the stage, with all its batch sizes compiled."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "diffusion.log"
        own = {"BATCH_ROWS": "16" if server == "engine" else "2", "MAX_QUEUE": "100"}
        if server == "fifo":
            (Path(folder) / "diffusion").mkdir()
            shutil.copy(Path(__file__).with_name("fifo.py"), Path(folder) / "diffusion" / "handler.py")
            own |= {"HANDLERS_DIR": folder, "KERAS_BACKEND": "tensorflow"}
        with running_stage("diffusion", log, **own) as stage:
            _wait_for_programs(stage.url)
            yield stage.url


def _wait_for_programs(url: str) -> None:
    while True:
        programs = requests.get(f"{url}/ready", timeout=10).json().get("programs")
        if programs is None or programs["warm"] >= programs["of"]:
            return
        time.sleep(0.2)


class Asker:
    """Asks for a latent, each with a seed of its own, so that none is known already."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._seeds = iter(range(10**9))
        self._own = threading.local()
        random = np.random.default_rng(0)
        contexts = [random.standard_normal((1, 77, 128)).astype(np.float32) for _ in range(2)]
        self._inputs = [base64.b64encode(context.tobytes()).decode() for context in contexts]

    def __call__(self, steps: int) -> float:
        """The seconds that it took."""
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
        body = {"inputs": self._inputs, "num_steps": steps, "seed": next(self._seeds)}
        began = time.perf_counter()
        response = self._own.session.post(self._url, json=body, timeout=600)
        response.raise_for_status()
        return time.perf_counter() - began


def throughput(asker: Asker, clients: int, pictures: int) -> float:
    """Pictures a second."""
    with ThreadPoolExecutor(clients) as pool:
        began = time.perf_counter()
        list(pool.map(asker, [STEPS] * pictures))
        return pictures / (time.perf_counter() - began)


def short_among_long(asker: Asker) -> list[float]:
    """Seconds of short requests, one after the other, while others ask for long ones without end."""
    over = threading.Event()

    def ask_for_long_ones() -> None:
        while not over.is_set():
            asker(LONG_STEPS)

    with ThreadPoolExecutor(LONG_CLIENTS) as pool:
        for _ in range(LONG_CLIENTS):
            pool.submit(ask_for_long_ones)
        time.sleep(1)
        seconds: list[float] = []
        began = time.perf_counter()
        while len(seconds) < SHORT_REQUESTS and time.perf_counter() - began < MOST_SECONDS:
            seconds.append(asker(SHORT_STEPS))
        over.set()
    return seconds


def book(report: Report, jobs: int = 32, steps: int = 200) -> None:
    """Milliseconds of a step that are neither the model's nor a sampler's, with a model that takes none."""
    report.result(milliseconds=milliseconds_a_step(jobs, steps), jobs=jobs)


def write(records: Mapping[str, Record]) -> None:
    """The table and the plot into the page, and the JSON beside it."""
    machine = facts()
    page.keep("batching", machine, records.values())
    rows = [_row(server, title, records.get(server)) for server, title in SERVERS.items()]
    found = {name: record for name, record in records.items() if "error" not in record}
    series = {
        SERVERS[name]: {int(clients): rate for clients, rate in found[name]["rates"].items()}
        for name in SERVERS
        if name in found
    }
    if series:
        plot.lines(page.RESULTS / "batching.png", series, "clients at once", "pictures a second")
    parts = [page.table(COLUMNS, rows), "![Pictures a second over clients](results/batching.png)"]
    page.fill("batching", "\n\n".join([*parts, _sentences(found), described(machine, [])]))


def _row(server: str, title: str, record: Record | None) -> list[str | float | None]:
    if record is None or "error" in record:
        return page.absent([title], record, len(COLUMNS))
    half, most = (float(np.percentile(record["short"], percent)) for percent in (50, 95))
    return [title, *(record["rates"][str(clients)] for clients in CLIENTS), half, most]


def _sentences(found: Mapping[str, Record]) -> str:
    said = [
        f"{STEPS} steps a picture, {SIDE} × {SIDE}, straight from the stage. Short are {SHORT_STEPS} steps, "
        f"from one client; long are {LONG_STEPS}, from {LONG_CLIENTS}.",
    ]
    if {"engine", "fifo"} <= set(found):
        ours, theirs = found["engine"], found["fifo"]
        half, most = (np.percentile(ours["short"], p) / np.percentile(theirs["short"], p) for p in (50, 95))
        rate = ours["rates"]["16"] / theirs["rates"]["16"]
        said.append(
            f"Against keras-cv's loop: {rate:.2f} times the pictures of 16 clients; short requests take "
            f"{half:.2f} (p50) and {most:.2f} (p95) of the time."
        )
    if "bookkeeping" in found:
        book = found["bookkeeping"]
        said.append(f"Bookkeeping of a step with {book['jobs']} jobs: {book['milliseconds']:.2f} ms.")
    return " ".join(said)


if __name__ == "__main__":
    main()
