"""What GET /metrics shows, in Prometheus' text format."""

from collections import Counter as Tally
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
ROWS = (1, 2, 4, 8, 16, 32)

LOOKED_UP: ContextVar[Tally[tuple[str, str]] | None] = ContextVar("looked_up", default=None)
"""What was looked for among what is kept, for one request: (cache, `hit` or `miss`)."""


def looked_up() -> dict[str, int]:
    """How often this task's request has found what it looked for among what is kept, and how often not."""
    tally = LOOKED_UP.get() or Tally()
    hits = sum(count for (_, result), count in tally.items() if result == "hit")
    return {"cache_hits": hits, "cache_misses": tally.total() - hits}


class Metrics:
    """The metrics of one server, in a registry of their own; they are evidence for the library as well.

    `inf_batch_current_size` and `inf_queue_size` are the names that a Hugging Face endpoint uses. No label is
    made of what a request holds.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("stage_requests", "Requests answered.", "route", "status")
        self.seconds = self._histogram(
            "stage_request_seconds",
            "Seconds from head to end of an answer.",
            SECONDS,
            "route",
        )
        self._bytes = self._counter("stage_bytes", "Bytes of bodies.", "direction")
        self._waiting = self._histogram(
            "stage_waiting_seconds", "Seconds that a request waited for the handler.", SECONDS
        )
        self._computing = self._histogram(
            "stage_computing_seconds", "Seconds that a request was worked on.", SECONDS
        )
        self._lookups = self._counter(
            "stage_cache_lookups", "Looks for what is kept: contexts, latents, pictures.", "cache", "result"
        )
        self._rows = self._histogram(
            "stage_unet_rows", "Rows of a call of the UNet; a guided picture has two.", ROWS
        )
        self._step = self._histogram("stage_unet_seconds", "Seconds of a call of the UNet: a step.", SECONDS)
        self._compiled = self._counter("stage_programs_compiled", "Programs compiled.", "part")
        self._compiling = self._counter("stage_compiling_seconds", "Seconds spent on compiling.", "part")
        self._exhausted = self._counter(
            "stage_out_of_memory", "Calls of a model that memory did not suffice for."
        )

    def looked_up(self, cache: str, found: bool) -> None:
        result = "hit" if found else "miss"
        self._lookups.labels(cache, result).inc()
        tally = LOOKED_UP.get()
        if tally is not None:
            tally[cache, result] += 1

    def called(self, rows: int, seconds: float) -> None:
        self._rows.observe(rows)
        self._step.observe(seconds)

    def compiled(self, part: str, seconds: float) -> None:
        self._compiled.labels(part).inc()
        self._compiling.labels(part).inc(seconds)

    def exhausted(self) -> None:
        self._exhausted.inc()

    def request(self, route: str, status: int, seconds: float, received: int, sent: int) -> None:
        """One that was answered, with the bytes of both bodies."""
        self.requests.labels(route, status).inc()
        self.seconds.labels(route).observe(seconds)
        self._bytes.labels("received").inc(received)
        self._bytes.labels("sent").inc(sent)

    def worked(self, waiting: float, computing: float) -> None:
        """Seconds of a request in the queue, and in the handler."""
        self._waiting.observe(waiting)
        self._computing.observe(computing)

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """A number that is looked up when a scrape asks for it."""
        Gauge(name, meaning, registry=self.registry).set_function(value)

    def states(self, name: str, meaning: str, states: list[str], current: Callable[[], str]) -> None:
        """1 for the state that it is in, 0 for the others."""
        gauge = Gauge(name, meaning, ["state"], registry=self.registry)
        for state in states:
            gauge.labels(state).set_function(partial(_is, current, state))

    def text(self) -> bytes:
        """Everything, as a scrape reads it."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, buckets=buckets, registry=self.registry)


def _is(current: Callable[[], str], state: str) -> float:
    return float(current() == state)
