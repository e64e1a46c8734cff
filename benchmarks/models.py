"""The full Stable Diffusion 1.x models at 512 × 512, side by side: seconds a call, start, memory.

`python -m benchmarks.models` runs every part of every participant in a process of its own, with random
weights, and writes the tables, a plot and a JSON of everything into this folder. Stopped, it goes
on where it was; the tables show what is finished.
"""

import argparse
import math
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import command, page, participants, plot
from benchmarks.checkpoint import prepare
from benchmarks.child import Report
from benchmarks.machine import described, facts
from benchmarks.participants import DIFFUSERS, KERAS_CV, OURS, OUTPUTS, PARTS, PEERS, Participant, time_calls
from benchmarks.results import Results, ratio
from benchmarks.trial import Record, Trial

PARTICIPANTS = (*PEERS, *OURS)
COLUMNS = (
    "",
    "dtype",
    "seconds",
    "keras-cv ÷ this",
    "diffusers ÷ this",
    "first call, s",
    "start to first result, s",
    "peak memory, MB",
    "of it anonymous, MB",
    "largest difference",
)


def main() -> None:
    options_parser = command.parser(__doc__, repeats=5)
    command.add_optimum_python(options_parser)
    options = options_parser.parse_args()
    pairs = [(one, part) for part in PARTS for one in PARTICIPANTS if one.runs(options)]
    needs = {trial_name(*pair): pair[0].needs for pair in pairs}
    trials = [trial(*pair, options) for pair in pairs]
    if options.list:
        command.shown(trials)
        return
    results = Results(options.cache / "models.jsonl")
    needed = {needs[one.name] for one in command.chosen(trials, options.only)} - {""}
    prepare(sorted(needed), options.cache, {"openvino": options.optimum_python})
    command.run(trials, options, results)
    write(results.latest(trials), options.cache)


def trial_name(participant: Participant, part: str) -> str:
    """What --list and --only call a part of a participant."""
    return f"{participant.name}/{part}"


def trial(participant: Participant, part: str, options: argparse.Namespace) -> Trial:
    """One part of one participant."""
    name = trial_name(participant, part)
    arguments = {
        "opener": participant.opener,
        "part": part,
        "repeats": options.repeats,
        "output": str(output_file(options.cache, name)),
        "options": participants.checkpoint_options(participant, options.cache),
    }
    target, python = "benchmarks.models:measure", participant.python(options)
    return Trial(name, target, arguments, participant.environment, python)


def output_file(cache: Path, name: str) -> Path:
    """Where a trial's output is kept, to compare it with the others'."""
    return cache / "outputs" / f"{name.replace('/', '-')}.npy"


def measure(
    report: Report, opener: str, part: str, repeats: int, output: str, options: Mapping[str, Any]
) -> None:
    """Open the part, run it once to warm up, then time it; keep what it gave."""
    array = time_calls(report, getattr(participants, opener)(report, part, **options), repeats)
    if array.shape != OUTPUTS[part]:
        raise ValueError(f"the {part} of another model: it gives {array.shape}, not {OUTPUTS[part]}")
    Path(output).parent.mkdir(exist_ok=True)
    np.save(output, array)


def write(records: Mapping[str, Record], cache: Path) -> None:
    """The tables into the page, the plot and the JSON beside it."""
    machine = facts()
    for part in PARTS:
        for participant in PARTICIPANTS:
            record = records.get(trial_name(participant, part))
            if record is not None and "error" not in record:
                record["difference"] = _difference(participant, part, cache)
    page.keep("models", machine, records.values())
    plot.draw(
        page.RESULTS / "models.png", {title: _bars(part, records) for part, title in PARTS.items()}, "s"
    )
    tables = "\n\n".join(
        f"**{title}**\n\n{page.table(COLUMNS, list(_rows(part, records)))}" for part, title in PARTS.items()
    )
    page.fill(
        "models",
        f"{tables}\n\n![The same as bars](results/models.png)\n\n{described(machine, records.values())}.",
    )


def _rows(part: str, records: Mapping[str, Record]) -> Iterator[list[str | float | None]]:
    baselines = [_median(records.get(trial_name(peer, part))) for peer in (KERAS_CV, DIFFUSERS)]
    for participant in PARTICIPANTS:
        record = records.get(trial_name(participant, part))
        if record is None or "error" in record:
            yield page.absent([participant.title, participant.precision], record, len(COLUMNS))
            continue
        median = _median(record)
        memory = record["memory"]
        yield [
            participant.title,
            participant.precision,
            median,
            *(ratio(baseline, median) for baseline in baselines),
            record["first"],
            record["marks"]["first"]["seconds"],
            memory["resident"],
            memory["anonymous"],
            record["difference"],
        ]


def _bars(part: str, records: Mapping[str, Record]) -> list[plot.Bar]:
    return [
        plot.Bar(participant.label, [_median(record)], participant.ours)
        for participant in PARTICIPANTS
        if "seconds" in (record := records.get(trial_name(participant, part), {}))
    ]


def _median(record: Record | None) -> float:
    return statistics.median(record["seconds"]) if record and "seconds" in record else math.nan


def _difference(participant: Participant, part: str, cache: Path) -> float | None:
    """The largest difference from what diffusers gives in float32; None for weights of another's."""
    files = [output_file(cache, trial_name(one, part)) for one in (participant, DIFFUSERS)]
    if not participant.needs or participant is DIFFUSERS or not all(file.exists() for file in files):
        return None
    ours, theirs = (np.load(file) for file in files)
    return float(np.abs(ours - theirs).max())


if __name__ == "__main__":
    main()
