"""What a scrape finds out about the replicas when it comes."""

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .breaker import STATES
from .stages import Stages

LABELS = ["stage", "replica"]


class ReplicaGauges(Collector):
    """What is known of those that there are, without asking them."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    def collect(self) -> Iterator[Metric]:
        breaker = GaugeMetricFamily(
            "triptych_replica_breaker",
            "1 for the state of the replica's circuit breaker, 0 for the others.",
            labels=[*LABELS, "state"],
        )
        requests = GaugeMetricFamily(
            "triptych_replica_requests",
            "Requests that the replica has, as far as the gateway knows.",
            labels=LABELS,
        )
        replicas = {(one.stage, one.url): one for stage in self._stages for one in stage.known}
        for labels, replica in replicas.items():
            for state in STATES:
                breaker.add_metric([*labels, state], float(replica.breaker.position == state))
            requests.add_metric(labels, replica.load.requests)
        yield breaker
        yield requests
