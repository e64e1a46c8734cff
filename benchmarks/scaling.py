"""Pictures a minute with one, two and four replicas of the diffusion stage.

`python -m benchmarks.scaling` starts text encoder, decoder and gateway, and so many diffusion stages among
which the gateway chooses, and asks from as many clients as keep them busy: with the built-in model, whose
replicas share this machine's cores, and with stand-ins for replicas on machines of their own
(`benchmarks.elsewhere`). It writes a table, a plot and a JSON into this folder, and goes on where it was
stopped.
"""

import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import requests

from benchmarks import command, elsewhere, page, plot
from benchmarks.child import Report
from benchmarks.machine import described, facts
from benchmarks.results import Results
from benchmarks.trial import Record, Trial
from tests.running import running_gateway, running_stage

KINDS = {"here": "built-in model, on these cores", "elsewhere": "stand-ins, a machine each"}
REPLICAS = (1, 2, 4)
CLIENTS = 12
"""For each replica; more than one call of the UNet holds."""
STEPS = 25
ROWS = "16"
WARM_SECONDS, SECONDS = 4.0, 20.0
COLUMNS = (
    "replicas are",
    "replicas",
    "clients",
    "pictures a minute",
    "of one replica's",
    "p50, s",
    "p95, s",
    "most and fewest pictures of a replica",
    "load of the machine before",
)


def main() -> None:
    options = command.parser(__doc__).parse_args()
    trials = [
        Trial(f"{kind}/{replicas}", "benchmarks.scaling:measure", {"kind": kind, "replicas": replicas})
        for kind in KINDS
        for replicas in REPLICAS
    ]
    if options.list:
        command.shown(trials)
        return
    results = Results(options.cache / "scaling.jsonl")
    command.run(trials, options, results)
    write(results.latest(trials))


def measure(report: Report, kind: str, replicas: int) -> None:
    """Every answer of a while in which all clients ask, each for its next picture once it has one."""
    with serving(kind, replicas) as url:
        report.mark("ready")
        asked = Asked(url, CLIENTS * replicas)
        asked.run(WARM_SECONDS, keep=False)
        asked.run(SECONDS, keep=True)
    calls = [call for answer in asked.answers for call in answer["stages"]]
    report.result(
        clients=CLIENTS * replicas,
        seconds=SECONDS,
        waits=asked.waits,
        computing={
            stage: statistics.median(call["seconds_computing"] for call in calls if call["stage"] == stage)
            for stage in ("text_encoder", "diffusion", "decoder")
        },
        overhead=statistics.median(_overhead(*pair) for pair in zip(asked.waits, asked.answers, strict=True)),
        shares=_shares(calls),
    )


@contextmanager
def serving(kind: str, replicas: int) -> Iterator[str]:
    """The address of a gateway in front of so many diffusion stages, each with every batch size ready."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        own: dict[str, str] = {"BATCH_ROWS": ROWS, "MAX_QUEUE": "100"}
        if kind == "elsewhere":
            (Path(folder) / "diffusion").mkdir()
            shutil.copy(elsewhere.__file__, Path(folder) / "diffusion" / "handler.py")
            own["HANDLERS_DIR"] = folder
        places = [
            stack.enter_context(
                running_stage("diffusion", Path(folder) / f"diffusion-{number}.log", **own)
            ).url
            for number in range(replicas)
        ]
        for place in places:
            _wait_for_programs(place)
        urls = {
            f"{name.upper()}_URL": stack.enter_context(running_stage(name, Path(folder) / f"{name}.log")).url
            for name in ("text_encoder", "decoder")
        }
        settings = {
            "MAX_CONCURRENT_REQUESTS": "1000",
            "INPAINTING_URL": "",
            "DIFFUSION_URLS": ",".join(places),
        }
        log = Path(folder) / "gateway.log"
        yield stack.enter_context(running_gateway(log, **urls, **settings)).url


def _wait_for_programs(url: str) -> None:
    while (programs := requests.get(f"{url}/ready", timeout=10).json()["programs"])["warm"] < programs["of"]:
        time.sleep(0.2)


class Asked:
    """Clients that ask without pause, each picture with a seed of its own."""

    def __init__(self, url: str, clients: int) -> None:
        self._url = url
        self._clients = clients
        self._seeds = count()
        self.waits: list[float] = []
        """Seconds of each picture that came in the time that counts."""
        self.answers: list[dict[str, Any]] = []

    def run(self, seconds: float, keep: bool) -> None:
        """Ask for so long."""
        until = time.monotonic() + seconds
        barrier = threading.Barrier(self._clients)
        with ThreadPoolExecutor(self._clients) as pool:
            for ended in [pool.submit(self._ask, barrier, until, keep) for _ in range(self._clients)]:
                ended.result()

    def _ask(self, barrier: threading.Barrier, until: float, keep: bool) -> None:
        barrier.wait()
        with requests.Session() as session:
            while time.monotonic() < until:
                request = {"prompt": "a red apple", "steps": STEPS, "seed": next(self._seeds)}
                began = time.monotonic()
                answer = session.post(f"{self._url}/v1/txt2img", json=request, timeout=120)
                ended = time.monotonic()
                answer.raise_for_status()
                if keep and ended <= until:
                    self.waits.append(ended - began)
                    self.answers.append(answer.json())


def _overhead(wait: float, answer: Mapping[str, Any]) -> float:
    """Seconds of a picture that were neither in a stage's queue nor in its handler."""
    spent = sum(call["seconds_waiting"] + call["seconds_computing"] for call in answer["stages"])
    return float(max(0.0, wait - spent))


def _shares(calls: list[dict[str, Any]]) -> list[int]:
    """How many pictures each replica of the diffusion stage made, most first."""
    urls = [call["replica"] for call in calls if call["stage"] == "diffusion"]
    return sorted((urls.count(url) for url in set(urls)), reverse=True)


def write(records: Mapping[str, Record]) -> None:
    """The table and the plot into the page, and the JSON beside it."""
    machine = facts()
    page.keep("scaling", machine, records.values(), steps=STEPS, rows=int(ROWS))
    rows = [_row(records, kind, replicas) for kind in KINDS for replicas in REPLICAS]
    series = {
        KINDS[kind]: {
            replicas: per_minute(records[f"{kind}/{replicas}"])
            for replicas in REPLICAS
            if _is_finished(records.get(f"{kind}/{replicas}"))
        }
        for kind in KINDS
    }
    plot.lines(page.RESULTS / "scaling.png", series, "replicas of the diffusion stage", "pictures a minute")
    note = f"{STEPS} steps a picture, {SECONDS:g} s for each row. {described(machine, [])}".strip()
    picture = "![Pictures a minute over replicas](results/scaling.png)"
    page.fill("scaling", f"{page.table(COLUMNS, rows)}\n\n{picture}\n\n{note}")


def per_minute(record: Record) -> float:
    """Pictures that came in the time that counts, a minute."""
    return float(60 * len(record["waits"]) / record["seconds"])


def _is_finished(record: Record | None) -> bool:
    return record is not None and "error" not in record


def _row(records: Mapping[str, Record], kind: str, replicas: int) -> list[str | float | None]:
    labels: list[str | float | None] = [KINDS[kind], str(replicas)]
    record, alone = records.get(f"{kind}/{replicas}"), records.get(f"{kind}/{REPLICAS[0]}")
    if record is None or "error" in record:
        return page.absent([str(label) for label in labels], record, len(COLUMNS))
    gained = per_minute(record) / per_minute(alone) if alone and _is_finished(alone) else None
    half, most = (float(np.percentile(record["waits"], percent)) for percent in (50, 95))
    shares = record["shares"]
    return [
        *labels,
        str(record["clients"]),
        per_minute(record),
        gained,
        half,
        most,
        f"{shares[0]}, {shares[-1]}",
        record["load"],
    ]


if __name__ == "__main__":
    main()
