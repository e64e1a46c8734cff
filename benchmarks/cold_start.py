"""From the start of a process to a warm UNet of Stable Diffusion 1.4, out of its Keras .h5 file.

`python -m benchmarks.cold_start` does it with keras-cv and with this project on each backend: there
with nothing kept from an earlier start, then with what that start has kept, then within a limit of
memory. The file is read once before each, so that all find it in the system's cache. It
writes a table, a plot and a JSON into this folder, and goes on where it was stopped.
"""

import argparse
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import command, page, plot
from benchmarks.checkpoint import KERAS_UNET, prepare
from benchmarks.child import Report
from benchmarks.limits import limited
from benchmarks.machine import described, facts
from benchmarks.participants import BACKENDS, IMAGE, TIMESTEP, example, hide, open_triptych, time_calls
from benchmarks.results import Results, ratio
from benchmarks.trial import Record, Trial

CHUNK = 64 * 2**20
LIMIT = 1.25
PHASES = ("imported", "built", "filled", "compiled", "first")
PEER = "keras-cv"
COLUMNS = (
    "",
    *(f"{phase}, s" for phase in PHASES[:-1]),
    "first step done, s",
    "keras-cv ÷ this",
    "a step then, s",
    "peak memory, MB",
    "÷ weights",
    "of it anonymous, MB",
    "÷ weights",
)


@dataclass(frozen=True)
class Start:
    """One way of starting. `kept` is the folder for what an earlier start keeps for later ones;
    `first` is the trial of that start, whose memory after its imports a limit goes by.
    """

    title: str
    trial: Trial
    kept: Path | None = None
    first: Trial | None = None
    limited: bool = False


def main() -> None:
    options = command.parser(__doc__, repeats=2).parse_args()
    starts = {start.trial.name: start for start in _starts(options)}
    trials = [start.trial for start in starts.values()]
    if options.list:
        command.shown(trials)
        return
    results = Results(options.cache / "cold_start.jsonl")
    prepare([KERAS_UNET.name], options.cache, {})
    weights = options.cache / KERAS_UNET.name
    for trial in command.pending(trials, options, results):
        _set_up(starts[trial.name], weights)
        _run(starts[trial.name], weights, options, results)
    write(list(starts.values()), results.latest(trials), weights.stat().st_size)


def _starts(options: argparse.Namespace) -> Iterator[Start]:
    file = str(options.cache / KERAS_UNET.name)
    steps = {"repeats": options.repeats}
    peer = Trial(PEER, "benchmarks.cold_start:start_keras_cv", {"weights": file, **steps})
    yield Start("keras-cv, XLA (its default)", peer)
    for backend in BACKENDS:
        kept = options.cache / "kept" / backend
        environment = {"KERAS_BACKEND": backend, "WEIGHTS_DIR": str(kept), "XDG_CACHE_HOME": str(kept)}
        target = "benchmarks.cold_start:start_triptych"
        first = Trial(f"triptych-{backend}/first", target, {"folder": file, **steps}, environment)
        later = replace(first, name=f"triptych-{backend}/later")
        small = replace(first, name=f"triptych-{backend}/limited")
        yield Start(f"Triptych on {backend}, first start", first, kept)
        yield Start(f"Triptych on {backend}, later start", later, kept, first)
        yield Start(f"Triptych on {backend}, memory limited", small, kept, first, limited=True)


def _set_up(start: Start, weights: Path) -> None:
    """Bring about what the start is to find: what was kept or nothing, and the file in the cache."""
    if start.kept is not None and start.first is None:
        shutil.rmtree(start.kept, ignore_errors=True)
    if start.kept is not None:
        start.kept.mkdir(parents=True, exist_ok=True)
    with weights.open("rb", buffering=0) as file:
        buffer = bytearray(CHUNK)
        while file.readinto(buffer):
            pass


def _run(start: Start, weights: Path, options: argparse.Namespace, results: Results) -> None:
    """Measure a start; a limited one within 1.25 times the weights and what its libraries took before."""
    if not start.limited or start.first is None:
        command.measure(start.trial, options, results)
        return
    before = results.of(start.first)
    if before is None:
        print(f"    not run: {start.first.name} has to say first what the libraries take")
        return
    megabytes = int(LIMIT * weights.stat().st_size / 2**20 + before["marks"]["imported"]["memory"]["peak"])
    with limited(megabytes) as limit:
        if limit is None:
            print("    not run: neither systemd-run nor a control group can limit memory here")
            return
        print(f"    within {megabytes} MB by {limit.how}", flush=True)
        said = {"limit": {"megabytes": megabytes, "how": limit.how}}
        command.measure(replace(start.trial, prefix=limit.prefix), options, results, more=said)


def start_keras_cv(report: Report, weights: str, repeats: int) -> None:
    """Build the UNet, load the file, and predict with XLA."""
    hide("jax", "torch")
    from keras_cv.models import StableDiffusion
    from keras_cv.src.models.stable_diffusion.diffusion_model import DiffusionModel

    report.mark("imported")
    model = DiffusionModel(IMAGE, IMAGE, 77, download_weights=False)
    report.mark("built")
    model.load_weights(weights)
    report.mark("filled")
    model.compile(jit_compile=True)
    embedding = StableDiffusion(IMAGE, IMAGE)._get_timestep_embedding(TIMESTEP, 2)
    inputs = {**example("diffusion"), "timestep_embedding": np.asarray(embedding)}
    time_calls(report, lambda: np.asarray(model.predict_on_batch(inputs)), repeats)


def start_triptych(report: Report, folder: str, repeats: int) -> None:
    """Open the diffusion part as its stage does, and run it."""
    time_calls(report, open_triptych(report, "diffusion", folder, "float32"), repeats)


def write(starts: Sequence[Start], records: Mapping[str, Record], weights: int) -> None:
    """The table into the page, the plot and the JSON beside it."""
    machine = facts()
    page.keep("cold_start", machine, records.values(), weights=weights)
    done = [start for start in starts if "error" not in records.get(start.trial.name, {"error": ""})]
    bars = [
        plot.Bar(start.title, phase_seconds(records[start.trial.name]), "Triptych" in start.title)
        for start in done
    ]
    plot.draw(page.RESULTS / "cold_start.png", {"From the start to the first step": bars}, "s", PHASES)
    table = page.table(COLUMNS, [_row(start, records, weights) for start in starts])
    note = (
        f"The file holds {weights / 2**20:.0f} MB. {_limits(records)}{described(machine, records.values())}."
    )
    page.fill("cold-start", f"{table}\n\n![The phases as bars](results/cold_start.png)\n\n{note}")


def phase_seconds(record: Record) -> list[float]:
    """The seconds of each phase; 0 for one that has no end of its own and counts in the next."""
    ends = [record["marks"].get(phase, {}).get("seconds") for phase in PHASES]
    seconds, last = [], 0.0
    for end in ends:
        seconds.append(0.0 if end is None else end - last)
        last = last if end is None else end
    return seconds


def _row(start: Start, records: Mapping[str, Record], weights: int) -> list[str | float | None]:
    record = records.get(start.trial.name)
    if record is None or "error" in record:
        return page.absent([start.title], record, len(COLUMNS))
    memory, marks = record["memory"], record["marks"]
    first = marks["first"]["seconds"]
    ends = [marks.get(phase, {}).get("seconds") for phase in PHASES[:-1]]
    peer = records.get(PEER, {}).get("marks", {}).get("first", {}).get("seconds")
    sizes = [part for kind in ("resident", "anonymous") for part in _of_weights(memory[kind], weights)]
    return [start.title, *ends, first, ratio(peer, first), statistics.median(record["seconds"]), *sizes]


def _of_weights(megabytes: float, weights: int) -> tuple[float, float]:
    return megabytes, megabytes * 2**20 / weights


def _limits(records: Mapping[str, Record]) -> str:
    said = [
        f"{name.partition('/')[0]} {record['limit']['megabytes']} MB ({record['limit']['how']})"
        for name, record in records.items()
        if "limit" in record
    ]
    if not said:
        return ""
    return f"Limits, {LIMIT} times that and what the libraries take when imported: {', '.join(said)}. "


if __name__ == "__main__":
    main()
