"""What is known of a request's work once it is done: for the metrics, and as spans of its trace."""

import time
from collections import Counter
from collections.abc import Collection, Hashable
from typing import NamedTuple, Protocol, runtime_checkable

from opentelemetry.trace import Link, SpanContext, TraceFlags, Tracer, get_current_span

from .metrics import LOOKED_UP, Metrics

NANOSECONDS = 1_000_000_000


class Origin(NamedTuple):
    """The span in which a request came: that of its SpanContext which can be hashed."""

    trace_id: int
    span_id: int
    flags: int

    @classmethod
    def here(cls) -> "Origin | None":
        """That of the current span; None where nothing is traced."""
        span = get_current_span().get_span_context()
        return cls(span.trace_id, span.span_id, span.trace_flags) if span.is_valid else None

    def link(self) -> Link:
        """To it, from a span that has to do with it."""
        return Link(SpanContext(self.trace_id, self.span_id, False, TraceFlags(self.flags)))


@runtime_checkable
class Telling(Protocol):
    """A ticket that says how its work was shared with others."""

    origin: Hashable
    """What this server knows the request by."""

    def evidence(self) -> dict[str, float]:
        """Numbers by name; for any thread."""

    def companions(self) -> Collection[Hashable]:
        """The origins of those it was shared with."""


class Work:
    """Notes of each request, in the request's own task, how long it waited and was computed.

    A request's steps are no spans of their own: a call of the UNet is shared by many requests, and there are
    dozens to a picture. How many there were, and with how many rows, is said of the whole, which has links to
    the requests that it shared them with.
    """

    def __init__(self, metrics: Metrics, tracer: Tracer) -> None:
        self._metrics = metrics
        self._tracer = tracer

    def begin(self) -> None:
        """From here on what is looked up is this request's."""
        LOOKED_UP.set(Counter())

    def note(self, timing: tuple[float, float], ticket: object = None) -> None:
        """Seconds in the queue and in the handler, the last of which has just passed."""
        waiting, computing = timing
        self._metrics.worked(waiting, computing)
        now = time.time_ns()
        began = now - round(computing * NANOSECONDS)
        came = began - round(waiting * NANOSECONDS)
        self._tracer.start_span("queue", start_time=came).end(began)
        span = self._tracer.start_span("compute", links=_links(ticket), start_time=began)
        if span.is_recording():
            found = LOOKED_UP.get() or Counter()
            span.set_attributes(
                {f"triptych.cache.{cache}.{result}": count for (cache, result), count in found.items()}
            )
            span.set_attribute("triptych.seconds_waiting", round(waiting, 4))
            span.set_attribute("triptych.seconds_computing", round(computing, 4))
            if isinstance(ticket, Telling):
                span.set_attributes({f"triptych.{name}": value for name, value in ticket.evidence().items()})
        span.end(now)


def _links(ticket: object) -> list[Link]:
    if Origin.here() is None or not isinstance(ticket, Telling):
        return []
    return [origin.link() for origin in ticket.companions() if isinstance(origin, Origin)]
