"""What is known of a request's work once it is done: for the metrics, and as spans of its trace."""

import time
from collections import Counter
from collections.abc import Collection, Hashable
from typing import Protocol, runtime_checkable

from opentelemetry.trace import Link, SpanContext, Tracer

from .metrics import LOOKED_UP, Metrics

NANOSECONDS = 1_000_000_000


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
    companions = ticket.companions() if isinstance(ticket, Telling) else ()
    return [Link(span) for span in companions if isinstance(span, SpanContext)]
