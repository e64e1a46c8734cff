"""What the gateway counts, for Prometheus; each app has its own registry."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

from .requests import StageCall

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
REPLICA = ["stage", "replica"]


class Metrics:
    """Requests by route and status; calls, errors, bytes and time by replica; jobs by state.

    No label is made of what a request holds; what is counted of a replica goes with it (`forget`).
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = self._counter("requests", "Requests answered.", ["route", "status"])
        self._request_seconds = self._histogram("request_seconds", "Seconds to answer.", ["route"])
        self._admissions = self._counter(
            "admissions", "Requests and jobs that asked for a place.", ["kind", "outcome"]
        )
        self.in_flight = self._gauge("requests_in_flight", "Requests and jobs under way.")
        self._of_replicas = (
            self._histogram("stage_seconds", "Seconds of a call.", REPLICA),
            self._counter("stage_errors", "Calls that failed.", [*REPLICA, "type"]),
            self._counter("stage_bytes", "Bytes of bodies.", [*REPLICA, "direction"]),
            self._counter(
                "stage_time_seconds",
                "Seconds of calls: waiting in the stage's queue, computing, on the wire; unknown of stages "
                "that do not announce them.",
                [*REPLICA, "part"],
            ),
        )
        self._stage_seconds, self._stage_errors, self._stage_bytes, self._stage_time = self._of_replicas
        self._retries = self._counter("stage_retries", "Attempts beyond a request's first.", ["stage"])
        self.jobs_waiting = self._gauge("jobs_waiting", "Jobs that wait for their turn.")
        self.jobs_running = self._gauge("jobs_running", "Jobs under way.")
        self._jobs_ended = self._counter("jobs_ended", "Jobs that have ended.", ["state"])
        self.jobs_oldest = self._gauge(
            "jobs_oldest_seconds", "How long that job has waited which has waited longest; 0 if none waits."
        )
        self.jobs_bytes = self._gauge("jobs_bytes", "Bytes that jobs take, of JOBS_BYTES.")
        self.jobs_bytes_limit = self._gauge("jobs_bytes_limit", "JOBS_BYTES.")
        self.jobs_disk_free = self._gauge(
            "jobs_disk_free_bytes",
            "Bytes that are free where jobs are kept; infinite where that is a server without a limit.",
        )

    def watch(self, collector: Collector) -> None:
        """Have it asked whenever somebody asks for the metrics."""
        self.registry.register(collector)

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def admission(self, kind: str, admitted: bool) -> None:
        """A request or a job came in, or was refused."""
        self._admissions.labels(kind, "admitted" if admitted else "refused").inc()

    def stage_call(self, call: StageCall) -> None:
        """One attempt, whether it succeeded or not."""
        labels = (call.stage, call.replica)
        self._stage_seconds.labels(*labels).observe(call.seconds)
        self._stage_bytes.labels(*labels, "sent").inc(call.bytes_sent)
        self._stage_bytes.labels(*labels, "received").inc(call.bytes_received)
        if call.seconds_computing is None or call.seconds_on_the_wire is None:
            self._stage_time.labels(*labels, "unknown").inc(call.seconds)
            return
        self._stage_time.labels(*labels, "waiting").inc(call.seconds_waiting)
        self._stage_time.labels(*labels, "computing").inc(call.seconds_computing)
        self._stage_time.labels(*labels, "wire").inc(call.seconds_on_the_wire)

    def stage_error(self, stage: str, replica: str, kind: str) -> None:
        self._stage_errors.labels(stage, replica, kind).inc()

    def retry(self, stage: str) -> None:
        """A request's part is tried again."""
        self._retries.labels(stage).inc()

    def job_ended(self, state: str) -> None:
        self._jobs_ended.labels(state).inc()

    def forget(self, stage: str, replica: str) -> None:
        """The replica is gone, as the addresses of a scaled service go."""
        for metric in self._of_replicas:
            metric.remove_by_labels({"stage": stage, "replica": replica})

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, labels: list[str]) -> Counter:
        return Counter(f"triptych_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, labels: list[str]) -> Histogram:
        return Histogram(f"triptych_{name}", meaning, labels, buckets=SECONDS, registry=self.registry)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(f"triptych_{name}", meaning, registry=self.registry)
