"""What the gateway counts, for Prometheus; each app has its own registry."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Requests by route and status; calls, errors and bytes by stage."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "triptych_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self._request_seconds = Histogram(
            "triptych_request_seconds", "Seconds to answer.", ["route"], buckets=SECONDS, registry=registry
        )
        self._stage_seconds = Histogram(
            "triptych_stage_seconds", "Seconds of a call.", ["stage"], buckets=SECONDS, registry=registry
        )
        self._stage_errors = Counter(
            "triptych_stage_errors", "Calls that failed.", ["stage", "type"], registry=registry
        )
        self._stage_bytes = Counter(
            "triptych_stage_bytes", "Bytes of bodies.", ["stage", "direction"], registry=registry
        )
        self.jobs_waiting = Gauge(
            "triptych_jobs_waiting", "Jobs that wait for their turn.", registry=registry
        )
        self.in_flight = Gauge("triptych_requests_in_flight", "Requests under way.", registry=registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def stage_call(self, stage: str, seconds: float, sent: int, received: int) -> None:
        self._stage_seconds.labels(stage).observe(seconds)
        self._stage_bytes.labels(stage, "sent").inc(sent)
        self._stage_bytes.labels(stage, "received").inc(received)

    def stage_error(self, stage: str, kind: str) -> None:
        self._stage_errors.labels(stage, kind).inc()

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)
