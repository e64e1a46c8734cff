"""How often the built-in model's pictures show their prompts, with each sampler, over calls of the UNet.

`python -m benchmarks.samplers` paints the prompts of `training.evaluate`, pairs that were never trained, with
every sampler, judges them with its probe (which `python -m training data` and `… probe` make), and writes a
table, a plot and a JSON into this folder. Stopped, it goes on where it was.
"""

import argparse
import math
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import command, page, plot
from benchmarks.child import Report
from benchmarks.machine import described, facts
from benchmarks.results import Results
from benchmarks.trial import Record, Trial
from triptych.samplers import SAMPLERS

BASELINE = ("ddim", "keras-cv")
BASELINE_CALLS = 25
WAYS = (
    BASELINE,
    ("ddim", "leading"),
    ("ddim", "trailing"),
    ("ddim", "karras"),
    ("euler_ancestral", "keras-cv"),
    ("euler_ancestral", "karras"),
    ("dpmpp_2m", "keras-cv"),
    ("dpmpp_2m", "trailing"),
    ("dpmpp_2m", "karras"),
    ("heun", "keras-cv"),
    ("heun", "karras"),
    ("lcm", "lcm"),
)
"""Samplers with the schedules that they are measured with; euler is ddim."""
CALLS = (3, 5, 7, 9, 11, 13, 15, 19, BASELINE_CALLS)
"""Calls of the UNet for a picture; odd, as Heun's are."""
PICTURES = 300
SEED = 0
Shares = Mapping[int, float]
"""By the number of calls: the share of pictures that show all that was asked for."""


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument(
        "--pictures", type=int, default=PICTURES, help=f"prompts for each point (default {PICTURES})"
    )
    options = parser.parse_args()
    trials = [trial(*way, options) for way in WAYS]
    if options.list:
        command.shown(trials)
        return
    results = Results(options.cache / "samplers.jsonl")
    command.run(trials, options, results)
    write(results.latest(trials), options.pictures)


def trial(sampler: str, schedule: str, options: argparse.Namespace) -> Trial:
    """One sampler with one schedule, at every number of calls."""
    arguments = {"sampler": sampler, "schedule": schedule, "calls": [*CALLS], "pictures": options.pictures}
    return Trial(trial_name(sampler, schedule), "benchmarks.samplers:measure", arguments)


def trial_name(sampler: str, schedule: str) -> str:
    """What --list and --only call it."""
    return f"{sampler}/{schedule}"


def measure(report: Report, sampler: str, schedule: str, calls: list[int], pictures: int) -> None:
    """Paint the same prompts from the same noise with each number of calls, and judge the pictures."""
    from training import evaluate, probe
    from training.captions import plain_caption
    from training.export import shipped

    painter, eye = shipped(), probe.trained()
    report.mark("ready")
    chosen = evaluate.subjects(held=True, count=pictures)
    prompts = [plain_caption(subject) for subject in chosen]
    shares = {}
    for count in calls:
        steps = steps_of(sampler, count)
        images = painter.paint(prompts, evaluate.GUIDANCE, steps, SEED, sampler, schedule)
        shares[count] = evaluate.scores(eye, images, chosen)["all"]
        report.mark(f"{count} calls: {shares[count]:.3f}")
    report.result(shares=shares)


def steps_of(sampler: str, calls: int) -> int:
    """How many steps ask the model so often."""
    return next(steps for steps in range(1, calls + 1) if SAMPLERS[sampler].calls(steps) == calls)


def write(records: Mapping[str, Record], pictures: int) -> None:
    """The table into the page, the plot and the JSON beside it."""
    machine = facts()
    page.keep("samplers", machine, records.values())
    shares = {way: shares_of(records[name]) for way in WAYS if (name := trial_name(*way)) in records}
    plot.lines(
        page.RESULTS / "samplers.png",
        {", ".join(way): values for way, values in shares.items() if values},
        "calls of the UNet for a picture",
        "share of pictures that show all that was asked for",
    )
    text = page.table(("sampler", "schedule", *map(str, CALLS), "enough"), list(_rows(records, pictures)))
    page.fill(
        "samplers",
        f"{text}\n\n{_meaning(shares.get(BASELINE, {}), pictures)}\n\n"
        f"![The same as lines](results/samplers.png)\n\n{described(machine, records.values())}.",
    )


def shares_of(record: Record) -> Shares:
    """What the record says, with its calls as numbers again; nothing if it failed."""
    return {int(calls): share for calls, share in record.get("shares", {}).items()}


def enough(shares: Shares, baseline: Shares, pictures: int) -> int | None:
    """The fewest calls from which on no share is lower than the baseline's by a standard error or more."""
    if BASELINE_CALLS not in baseline:
        return None
    least = baseline[BASELINE_CALLS] - standard_error(baseline[BASELINE_CALLS], pictures)
    short = [calls for calls, share in shares.items() if share < least]
    return min((calls for calls in shares if calls > max(short, default=0)), default=None)


def standard_error(share: float, pictures: int) -> float:
    """Of a share of so many pictures."""
    return math.sqrt(share * (1 - share) / pictures)


def _rows(records: Mapping[str, Record], pictures: int) -> Iterator[list[Any]]:
    baseline = shares_of(records.get(trial_name(*BASELINE), {}))
    for way in WAYS:
        record = records.get(trial_name(*way))
        if record is None or "error" in record:
            yield page.absent(way, record, len(CALLS) + 3)
            continue
        shares = shares_of(record)
        least = enough(shares, baseline, pictures)
        yield [*way, *(f"{shares[calls]:.3f}" for calls in CALLS), str(least) if least else None]


def _meaning(baseline: Shares, pictures: int) -> str:
    sentence = f"{pictures} prompts a cell."
    if BASELINE_CALLS not in baseline:
        return sentence
    error = standard_error(baseline[BASELINE_CALLS], pictures)
    return (
        f"{sentence} The standard error of {', '.join(BASELINE)} at {BASELINE_CALLS} calls is {error:.3f}; "
        "“enough” are the fewest calls from which on a row is never lower than that cell by as much."
    )


if __name__ == "__main__":
    main()
