"""What a scrape finds out about the server when it comes: its queue, its state, its memory."""

from .facades import Stages
from .handler import CompilingHandler
from .metrics import Metrics
from .state import State
from .vitals import memory_limit


def add_gauges(metrics: Metrics, stages: Stages) -> None:
    """Have these metrics look at these stages."""
    shared, first = stages.shared, stages.first
    worker, jobs = shared.worker, shared.jobs
    metrics.gauge(
        "inf_batch_current_size",
        "Requests that the handler works on now.",
        lambda: worker.running + jobs.running,
    )
    metrics.gauge("inf_queue_size", "Requests waiting for the handler.", lambda: shared.waiting)
    metrics.gauge(
        "stage_queue_limit", "Requests that may be there besides one.", lambda: shared.settings.max_queue
    )
    metrics.gauge(
        "stage_queue_oldest_seconds",
        "How long the request that has waited longest for the handler has waited; 0 if none waits.",
        lambda: shared.oldest_seconds,
    )
    metrics.states("stage_state", "The state of the handler.", list(State), lambda: first.readiness.state)
    metrics.gauge(
        "stage_programs_warm", "Batch sizes of the UNet that are compiled.", lambda: _programs(stages)[0]
    )
    metrics.gauge(
        "stage_programs_planned",
        "Batch sizes of the UNet that are to be compiled.",
        lambda: _programs(stages)[1],
    )
    metrics.gauge(
        "stage_memory_limit_bytes",
        "Memory that the process may take: its container's limit, or the machine's.",
        lambda: memory_limit() or float("nan"),
    )


def _programs(stages: Stages) -> tuple[int, int]:
    handler: object = stages.first.handler
    return handler.programs() if isinstance(handler, CompilingHandler) else (0, 0)
