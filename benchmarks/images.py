"""A whole 512 × 512 picture: this project's stack over HTTP against keras-cv and diffusers in process.

`python -m benchmarks.images` measures pictures of a few numbers of steps (`--steps`) and draws the
straight line through them to a full number (`--to`): on a CPU a step always takes the same time.
Those of a group are all started, then draw by turns, so that a machine whose speed wavers does so for
all. It writes a table, a plot and a JSON into this folder, and goes on with the group where it was stopped.
"""

import argparse
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks import command, page, participants, pictures, plot
from benchmarks.checkpoint import prepare
from benchmarks.child import Report
from benchmarks.machine import described, facts
from benchmarks.participants import (
    DIFFUSERS,
    DIFFUSERS_BFLOAT16,
    KERAS_CV,
    KERAS_CV_PLAIN,
    OPTIMUM,
    OPTIMUM_BFLOAT16,
    Participant,
    seconds_of,
)
from benchmarks.results import Results, ratio
from benchmarks.trial import Record, Trial

STACK = Participant("triptych", "Triptych, four processes over HTTP", "open_triptych", "diffusers")
GROUPS = (
    (KERAS_CV, DIFFUSERS, STACK),
    (KERAS_CV_PLAIN, OPTIMUM, replace(STACK, name="triptych-again")),
    (
        DIFFUSERS_BFLOAT16,
        OPTIMUM_BFLOAT16,
        replace(STACK, name="triptych-bfloat16", precision="bfloat16"),
    ),
)
"""Who is measured beside whom: as many as 24 GB hold, this project among them in every group."""


def main() -> None:
    options = _options()
    runnable = [[participant for participant in group if participant.runs(options)] for group in GROUPS]
    needs = {participant.name: participant.needs for group in runnable for participant in group}
    groups = [[trial(participant, options) for participant in group] for group in runnable]
    trials = [trial for group in groups for trial in group]
    if options.list:
        command.shown(trials)
        return
    results = Results(options.cache / "images.jsonl")
    needed = {needs[one.name] for one in command.chosen(trials, options.only)} - {""}
    prepare(sorted(needed), options.cache, {"openvino": options.optimum_python})
    command.run_beside(groups, options, results)
    write(results.latest(trials), options.to)


def _options() -> argparse.Namespace:
    parser = command.parser(__doc__, repeats=3)
    command.add_optimum_python(parser)
    parser.add_argument("--steps", type=_numbers, default=[2, 5], help="steps to measure (default 2,5)")
    parser.add_argument("--to", type=int, default=25, help="steps of the whole picture (default 25)")
    options = parser.parse_args()
    if len(options.steps) < 2 and options.steps != [options.to]:
        parser.error("--steps needs two numbers to draw a line through, or the one that --to names")
    return options


def _numbers(text: str) -> list[int]:
    return sorted({int(number) for number in text.split(",")})


def trial(participant: Participant, options: argparse.Namespace) -> Trial:
    """The pictures of one participant."""
    own = participants.checkpoint_options(participant, options.cache)
    if participant.ours:
        own["backends"] = pictures.default_backends()
    arguments = {
        "opener": participant.opener,
        "steps": options.steps,
        "rounds": options.repeats,
        "options": own,
    }
    python = participant.python(options)
    return Trial(participant.name, "benchmarks.images:measure", arguments, python=python)


def measure(report: Report, opener: str, steps: list[int], rounds: int, options: Mapping[str, Any]) -> None:
    """Open the participant, draw once to warm up, then time pictures of each number of steps, by turns."""
    with getattr(pictures, opener)(report, **options) as draw:
        report.mark("ready")
        draw(steps[0])
        report.mark("first")
        times: dict[int, list[float]] = {count: [] for count in steps}
        for _ in range(rounds):
            report.turn()
            for count in steps:
                times[count].append(seconds_of(partial(draw, count)))
        report.result(seconds=times)


def whole_picture(seconds: Mapping[str, list[float]], steps: int) -> tuple[float, float]:
    """Seconds a step, and of a picture of so many steps: its median if it was measured, else by the line.

    With one number of steps measured there is no line, and a step's seconds are NaN.
    """
    medians = {int(count): statistics.median(times) for count, times in seconds.items()}
    if len(medians) == 1:
        return float("nan"), medians[steps]
    slope, rest = np.polyfit(list(medians), list(medians.values()), 1)
    return float(slope), medians.get(steps, float(rest + slope * steps))


def write(records: Mapping[str, Record], steps: int) -> None:
    """The table into the page, the plot and the JSON beside it."""
    machine = facts()
    page.keep("images", machine, records.values(), to=steps)
    done = {name: record for name, record in records.items() if "error" not in record}
    panels = {
        f"One picture of {steps} steps, {group[0].precision}, group {number}": [
            plot.Bar(one.label, [whole_picture(done[one.name]["seconds"], steps)[1]], one.ours)
            for one in group
            if one.name in done
        ]
        for number, group in enumerate(GROUPS, start=1)
    }
    plot.draw(page.RESULTS / "images.png", {title: bars for title, bars in panels.items() if bars}, "s")
    rows = [row for group in GROUPS for row in _rows(group, records, done, steps)]
    text = page.table(_columns(done, steps), rows)
    page.fill(
        "images",
        f"{text}\n\n![The same as bars](results/images.png)\n\n{described(machine, records.values())}.",
    )


def _measured(records: Mapping[str, Record]) -> list[str]:
    return sorted({count for record in records.values() for count in record["seconds"]}, key=int)


def _columns(records: Mapping[str, Record], steps: int) -> list[str]:
    counts = _measured(records)
    whole = "measured" if str(steps) in counts else "extrapolated"
    return [
        "",
        "dtype",
        *(f"{count} steps, s" for count in counts),
        "a step more, s",
        f"{steps} steps, s ({whole})",
        "Triptych's beside it ÷ this",
        "start to first picture, s",
        "peak memory, MB",
        "of it anonymous, MB",
    ]


def _rows(
    group: Sequence[Participant], records: Mapping[str, Record], done: Mapping[str, Record], steps: int
) -> Iterator[list[str | float | None]]:
    counts = _measured(done)
    wholes = {
        one.name: whole_picture(done[one.name]["seconds"], steps)[1] for one in group if one.name in done
    }
    for participant in group:
        record = done.get(participant.name)
        if record is None:
            labels = [participant.title, participant.precision]
            yield page.absent(labels, records.get(participant.name), len(_columns(done, steps)))
            continue
        yield [
            participant.title,
            participant.precision,
            *(statistics.median(record["seconds"][count]) for count in counts),
            whole_picture(record["seconds"], steps)[0],
            wholes[participant.name],
            ratio(wholes.get(group[-1].name), wholes[participant.name]),
            record["marks"]["first"]["seconds"],
            record["memory"]["resident"],
            record["memory"]["anonymous"],
        ]


if __name__ == "__main__":
    main()
