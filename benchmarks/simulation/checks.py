"""What was measured, simulated: how far the one is from the other."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import simpy

from benchmarks import elsewhere
from benchmarks.batching import LONG_CLIENTS, LONG_STEPS, SHORT_REQUESTS, SHORT_STEPS, STEPS
from benchmarks.scaling import ROWS, per_minute

from .engine import Engine, TimedUnet
from .fleet import Fleet, Scenario, Times

SERVERS = {"engine": "batching on", "unbatched": "batching off"}
BATCHED_ROWS = {"1": 2, "4": 8, "16": 16}
"""Rows of a call by clients that ask at once: two for each picture, 16 at most."""

Check = tuple[str, float, float]
"""What it is, measured, simulated."""


def calls_of(rates: dict[str, float], server: str) -> dict[int, float]:
    """Seconds of a call by its rows: what the pictures took that shared it, with everything around it."""
    if server == "unbatched":
        return {2: 1 / (rates["1"] * STEPS)}
    return {rows: rows / 2 / (rates[clients] * STEPS) for clients, rows in BATCHED_ROWS.items()}


def short_among_long(calls: dict[int, float]) -> list[float]:
    """Seconds of short requests, one after the other, while others ask for long ones without end.

    As the benchmark they ask the stage itself and name no client, so that all are one.
    """
    env = simpy.Environment()
    engine = Engine(env, TimedUnet(calls), most=1000, state_every=0)
    seconds: list[float] = []

    def long() -> Iterator[simpy.Event]:
        while True:
            yield engine.submit("", LONG_STEPS, 0)

    def short() -> Iterator[simpy.Event]:
        yield env.timeout(1)
        for _ in range(SHORT_REQUESTS):
            began = env.now
            yield engine.submit("", SHORT_STEPS, 0)
            seconds.append(env.now - began)

    for _ in range(LONG_CLIENTS):
        env.process(long())
    env.run(env.process(short()))
    return seconds


def of_batching(trials: dict[str, dict[str, Any]]) -> Iterator[Check]:
    """Of one stage: short requests among long ones, which the calls' times were not taken from."""
    for server, title in SERVERS.items():
        record = trials[server]
        made = short_among_long(calls_of(record["rates"], server))
        for percent in (50, 95):
            measured, simulated = (float(np.percentile(one, percent)) for one in (record["short"], made))
            yield f"short among long, {title}: p{percent}, s", measured, simulated


def of_scaling(trials: dict[str, dict[str, Any]]) -> Iterator[Check]:
    """Of the whole way: the stand-ins for replicas on machines of their own."""
    calls = {rows: elsewhere.seconds(rows) for rows in (1, 2, 4, 8, int(ROWS))}
    for name, record in trials.items():
        kind, _, replicas = name.partition("/")
        if kind != "elsewhere" or "error" in record:
            continue
        computing = record["computing"]
        times = Times(calls, record["overhead"], computing["text_encoder"], computing["decoder"])
        scenario = Scenario(
            name, int(replicas), record["clients"], 0, steps=STEPS, warm_seconds=5, seconds=60
        )
        seen = Fleet(scenario, times).run()
        what = f"{replicas} stand-in{'s' if replicas != '1' else ''}"
        yield f"{what}: pictures a minute", per_minute(record), float(len(seen.waits))
        yield f"{what}: p50, s", float(np.median(record["waits"])), float(np.median(seen.waits))
