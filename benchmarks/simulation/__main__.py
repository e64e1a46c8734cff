"""Fleets that there are no machines for, and how far the simulation is from what was measured.

`python -m benchmarks.simulation` takes its times from results/*.json, simulates, and writes tables, a plot
and a JSON into this folder.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks import page, plot
from benchmarks.machine import facts

from . import checks
from .fleet import Fleet, Scenario, Seen, Times

LOOK_SECONDS = 17.0
USERS = 100
"""For each replica."""
BUSY = 0.5
"""How busy the gateways' processors are to be."""
FLEETS = {1: 0.0, 10: 0.0, 100: 0.1, 1000: 0.1}
"""Replicas, and the share of them that is lost."""
COLUMNS = (
    "replicas",
    "users",
    "gateways",
    "",
    "pictures a second",
    "p50, s",
    "p95, s",
    "answered 429",
    "asked again elsewhere",
    "answered 503",
)
CHECK_COLUMNS = ("", "measured", "simulated", "deviation")

Row = list[str | float | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=max(FLEETS), help="largest fleet (default %(default)s)")
    options = parser.parse_args()
    batching, scaling = _trials("batching"), _trials("scaling")
    compared = [*checks.of_batching(batching), *checks.of_scaling(scaling)]
    times = _times(batching, scaling)
    rows: list[Row] = []
    kept: list[dict[str, Any]] = []
    for scenario in (_scenario(replicas, times) for replicas in FLEETS if replicas <= options.most):
        for row in _rows(scenario, Fleet(scenario, times).run()):
            print(*row, flush=True)
            rows.append(row)
            kept.append({"scenario": asdict(scenario), "row": row})
    write(rows, compared, kept, times)


def _trials(name: str) -> dict[str, dict[str, Any]]:
    found = json.loads((page.RESULTS / f"{name}.json").read_text())["trials"]
    return {trial["trial"]: trial for trial in found}


def _times(batching: dict[str, dict[str, Any]], scaling: dict[str, dict[str, Any]]) -> Times:
    """Of the built-in model."""
    overhead = float(np.median(_trials("overhead")["tiny/safetensors/1"]["seconds"]))
    computing = scaling["elsewhere/1"]["computing"]
    calls = checks.calls_of(batching["engine"]["rates"], "engine")
    return Times(calls, overhead, computing["text_encoder"], computing["decoder"])


def _scenario(replicas: int, times: Times) -> Scenario:
    users = USERS * replicas
    return Scenario(
        f"{replicas} replicas",
        replicas,
        users,
        LOOK_SECONDS,
        gateways=max(1, round(users / LOOK_SECONDS * times.gateway / BUSY)),
        lost=FLEETS[replicas],
        warm_seconds=5,
        seconds=10,
    )


def _rows(scenario: Scenario, seen: Seen) -> Iterator[Row]:
    """One row, or one of before and one of after the loss."""
    begin = scenario.warm_seconds
    middle, end = begin + scenario.seconds / 2, begin + scenario.seconds
    parts = {"": (begin, end)}
    if scenario.lost:
        parts = {"before": (begin, middle), f"{scenario.lost:.0%} lost": (middle, end)}
    for part, (since, until) in parts.items():
        then = seen.between(since, until)
        half, most = np.percentile(then.waits, (50, 95))
        counts = (then.refused, then.repeated, then.failed)
        yield [
            *(str(scenario.replicas), str(scenario.users), str(scenario.gateways), part),
            *(len(then.waits) / (until - since), float(half), float(most)),
            *(f"{len(count) / len(then.asked):.2%}" for count in counts),
        ]


def write(
    rows: Sequence[Row], compared: Sequence[checks.Check], kept: list[dict[str, Any]], times: Times
) -> None:
    """Tables and plot into the page, and the JSON beside it."""
    page.keep("simulation", facts(), kept, times=asdict(times), checks=compared)
    whole = [row for row in rows if "lost" not in str(row[3])]
    series = {
        name: {int(str(row[0])): float(row[column] or 0) for row in whole}
        for name, column in (("p50", 5), ("p95", 6))
    }
    plot.lines(
        page.RESULTS / "simulation.png", series, "replicas, each with 100 users", "seconds to the picture"
    )
    calls = ", ".join(f"{1000 * seconds:.1f} ms with {rows} rows" for rows, seconds in times.calls.items())
    beside: list[Row] = [
        [what, one, other, f"{(other or 0) / one - 1:+.0%}"] for what, one, other in compared
    ]
    parts = [
        page.table(COLUMNS, rows),
        f"A call of the UNet takes {calls}; a gateway's processor {1000 * times.gateway:.1f} ms a picture.",
        "![Seconds to the picture over replicas](results/simulation.png)",
        "Beside what was measured:",
        page.table(CHECK_COLUMNS, beside),
    ]
    page.fill("simulation", "\n\n".join(parts))


if __name__ == "__main__":
    main()
