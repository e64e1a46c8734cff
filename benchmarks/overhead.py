"""What the gateway and the wire add to an image: the whole time less that in the stages' queues and models.

`python -m benchmarks.overhead` starts stages and gateway as processes and asks for pictures, from one client
and from 16 at once, in safetensors and in base64: with the built-in model, and with stand-ins that give
tensors of 512 × 512 pictures after a set time. It writes a table and a JSON into this folder, and goes on
where it was stopped.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks import command, page
from benchmarks.child import Report
from benchmarks.machine import described, facts
from benchmarks.results import Results
from benchmarks.trial import Record, Trial
from tests.running import running_gateway, running_stage
from tests.tiny import SIDE

STAGES = ("text_encoder", "diffusion", "decoder")
SHAPES = {"tiny": f"built-in model, {SIDE} × {SIDE}", "full": "stand-ins, 512 × 512"}
FORMATS = ("safetensors", "base64")
CLIENTS = (1, 16)
STAND_IN_SECONDS = 0.05
STEPS = 25
"""Of the picture that the share is of."""
REQUEST = {"prompt": "a red apple on a blue background", "steps": 5, "seed": 1, "output_format": "png"}
BODY = json.dumps(REQUEST).encode()
TARGET = (
    "Target: p50 of at most 15 ms for the built-in model's picture from one client, and a share below 1 %."
)
COLUMNS = (
    "pictures",
    "tensors as",
    "clients",
    "overhead p50, ms",
    "p95, ms",
    "of an image's bytes between gateway and stages",
    "share of a picture of 25 steps",
)


def main() -> None:
    parser = command.parser(__doc__, repeats=100)
    parser.add_argument(
        "--step-seconds",
        type=float,
        default=1.0,
        help="what a step of the full model is taken to last, for the share (default 1, less than any CPU "
        "takes that was measured here)",
    )
    options = parser.parse_args()
    trials = list(_trials(options))
    if options.list:
        command.shown(trials)
        return
    results = Results(options.cache / "overhead.jsonl")
    command.run(trials, options, results)
    write(results.latest(trials), options.step_seconds)


def _trials(options: argparse.Namespace) -> Iterator[Trial]:
    for shapes in SHAPES:
        for wire in FORMATS:
            for clients in CLIENTS:
                arguments = {
                    "shapes": shapes,
                    "wire": wire,
                    "clients": clients,
                    "pictures": options.repeats,
                }
                yield Trial(f"{shapes}/{wire}/{clients}", "benchmarks.overhead:measure", arguments)


def measure(report: Report, shapes: str, wire: str, clients: int, pictures: int) -> None:
    """Pictures through a gateway and its stages, after one for each client that is not counted."""
    with serving(shapes, wire) as url, ThreadPoolExecutor(clients) as pool:
        report.mark("ready")
        asker = Asker(url)
        list(pool.map(asker, range(clients)))
        report.mark("first")
        answers = list(pool.map(asker, range(pictures)))
    given = STAND_IN_SECONDS if shapes == "full" else None
    report.result(
        seconds=[overhead(whole, answer, given) for whole, answer in answers],
        bytes=[travelled(answer) for _, answer in answers],
    )


@contextmanager
def serving(shapes: str, wire: str) -> Iterator[str]:
    """The address of a gateway in front of the three stages."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        environment = stand_ins(Path(folder)) if shapes == "full" else {}
        urls = {
            f"{stage.upper()}_URL": stack.enter_context(
                running_stage(stage, Path(folder) / f"{stage}.log", **environment)
            ).url
            for stage in STAGES
        }
        settings = {"WIRE_FORMAT": wire, "MAX_CONCURRENT_REQUESTS": str(max(CLIENTS)), "INPAINTING_URL": ""}
        log = Path(folder) / "gateway.log"
        yield stack.enter_context(running_gateway(log, **urls, **settings)).url


def stand_ins(folder: Path) -> dict[str, str]:
    for stage in STAGES:
        (folder / stage).mkdir()
        shutil.copy(Path(__file__).with_name("stand_in.py"), folder / stage / "handler.py")
    return {"HANDLERS_DIR": str(folder), "STAND_IN_SECONDS": str(STAND_IN_SECONDS)}


class Asker:
    """Asks for a picture over a connection of the thread's own, which stays open: by the standard library, as
    a client that does more would be measured too."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._own = local()

    def __call__(self, picture: int) -> tuple[float, dict[str, Any]]:
        """The seconds of the whole, and the answer."""
        if not hasattr(self._own, "connection"):
            self._own.connection = HTTPConnection(urlsplit(self._url).netloc, timeout=120)
        began = time.perf_counter()
        self._own.connection.request("POST", "/v1/txt2img", BODY, {"Content-Type": "application/json"})
        response = self._own.connection.getresponse()
        answer = response.read()
        seconds = time.perf_counter() - began
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {answer[:500]!r}")
        return seconds, json.loads(answer)


def overhead(whole: float, answer: Mapping[str, Any], given: float | None = None) -> float:
    """The seconds of the whole that were neither in a queue nor in a model.

    A stage's own word counts for the model, except where it is `given`: base64 is read and written inside
    the handler, where the stage's clock runs.
    """
    stages = answer["stages"]
    waiting = sum(call["seconds_waiting"] for call in stages)
    return float(whole - waiting - sum(given or call["seconds_computing"] for call in stages))


def travelled(answer: Mapping[str, Any]) -> int:
    """Bytes of the bodies between the gateway and the stages."""
    return sum(call["bytes_sent"] + call["bytes_received"] for call in answer["stages"])


def write(records: Mapping[str, Record], step_seconds: float) -> None:
    """The table into the page, and the JSON beside it."""
    machine = facts()
    page.keep("overhead", machine, records.values(), step_seconds=step_seconds)
    rows = [
        _row(records.get(f"{shapes}/{wire}/{clients}"), shapes, wire, clients, step_seconds)
        for shapes in SHAPES
        for wire in FORMATS
        for clients in CLIENTS
    ]
    note = (
        f"The share is of {STEPS} steps of {step_seconds:g} s each. {TARGET} {described(machine, [])}"
    ).strip()
    page.fill("overhead", f"{page.table(COLUMNS, rows)}\n\n{note}")


def _row(
    record: Record | None, shapes: str, wire: str, clients: int, step_seconds: float
) -> list[str | float | None]:
    labels = [SHAPES[shapes], wire, str(clients)]
    if record is None or "error" in record:
        return page.absent(labels, record, len(COLUMNS))
    half, most = (float(np.percentile(record["seconds"], percent)) for percent in (50, 95))
    share = f"{half / (half + STEPS * step_seconds):.2%}" if shapes == "full" else None
    return [*labels, 1000 * half, 1000 * most, float(np.median(record["bytes"])), share]


if __name__ == "__main__":
    main()
