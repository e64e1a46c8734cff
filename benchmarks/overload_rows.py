"""What the table and the plot of `benchmarks.overload` are made of."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import page, plot
from benchmarks.trial import Record

REFUSED = 429
WINDOW_SECONDS = 5


def arrivals_rows(record: Record) -> list[Sequence[str | float | None]]:
    asked, seconds = record["requests"], record["seconds"]
    made = [one for one in asked if one["status"] == 200]
    refused = [one for one in asked if one["status"] == REFUSED]
    again = [one for one in asked if one["again"]]
    first, last = _memory(record["memories"])
    times = [one["seconds"] for one in made]
    return [
        ("pictures a second that it makes for as many clients as there are places", record["capacity"]),
        ("requests a second that came", len(asked) / seconds),
        (f"of these {seconds / 60:g} minutes: pictures a second", len(made) / seconds),
        ("the fewest in any minute, a second", _least(made, seconds)),
        ("seconds of those let in: p50", float(np.median(times))),
        ("p99", float(np.percentile(times, 99))),
        ("refused with 429", str(len(refused))),
        ("Retry-After", _span([int(one["told"]) for one in refused if one["told"].isdigit()])),
        ("let in when they came again as told", _share([one["status"] == 200 for one in again])),
        ("any other answer", str(sum(not one["sound"] for one in asked))),
        ("memory of all, first tenth of the time, MB", first),
        ("last tenth, MB", last),
    ]


def listeners_rows(record: Record) -> list[Sequence[str | float | None]]:
    alone, watched, clients = record["alone"], record["watched"], record["clients"]
    more = watched["memory"] - alone["memory"]
    return [
        (f"{clients} clients that listen: share of a processor", f"{watched['processor']:.2%}"),
        ("without them", f"{alone['processor']:.2%}"),
        ("memory that one takes of the gateway's, KB", 1024 * more / clients),
    ]


def _least(made: Sequence[Mapping[str, Any]], seconds: float) -> float:
    """Of whole minutes; of all of it where it lasted no two."""
    minutes = int(seconds // 60)
    if minutes < 2:
        return len(made) / seconds
    begin = min(one["began"] for one in made)
    ended = [int((one["began"] + one["seconds"] - begin) // 60) for one in made]
    return min(ended.count(minute) for minute in range(minutes)) / 60


def _memory(samples: Sequence[Mapping[str, float]]) -> tuple[float, float]:
    tenth = max(1, len(samples) // 10)
    sums = [sum(sample.values()) for sample in samples]
    return float(np.mean(sums[:tenth])), float(np.mean(sums[-tenth:]))


def _span(seconds: Sequence[int]) -> str | None:
    if not seconds:
        return None
    few, most = min(seconds), max(seconds)
    return f"{few} s" if few == most else f"{few} to {most} s, {np.median(seconds):g} s at the median"


def _share(told: Sequence[bool]) -> str | None:
    return f"{sum(told) / len(told):.0%} of {len(told)}" if told else None


def draw(record: Record) -> None:
    begin = min(one["began"] for one in record["requests"])
    windows = range(0, int(record["seconds"]), WINDOW_SECONDS)

    def a_second(status: int) -> dict[int, float]:
        ended = [
            one["began"] + one["seconds"] - begin for one in record["requests"] if one["status"] == status
        ]
        counts = np.histogram(ended, [*windows, windows[-1] + WINDOW_SECONDS])[0]
        return {at: float(count) / WINDOW_SECONDS for at, count in zip(windows, counts, strict=True)}

    series = {"pictures": a_second(200), "refused": a_second(REFUSED)}
    plot.lines(page.RESULTS / "overload.png", series, "seconds", "a second")
