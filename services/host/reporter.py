"""What a handler is given to report to while it is constructed."""

from dataclasses import dataclass

from .handler import Report
from .metrics import Metrics


@dataclass(frozen=True)
class Reporter:
    """Takes states, as `report(state, progress)`; the library counts its work at `evidence`."""

    report: Report
    evidence: Metrics

    def __call__(self, state: str, progress: float | None = None) -> None:
        self.report(state, progress)
