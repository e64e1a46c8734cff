"""Who rides in the next call of the model."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from .job import Job


def choose(jobs: Sequence[Job], served: Mapping[str, float], rows: int, clock: int) -> list[Job]:
    """Of jobs of any form those that share the next call, of so many rows at most, but one job at least.

    Clients take turns: the one that has been served the fewest rows goes first. Of a client's jobs that goes
    first which suffers most from waiting, its time here compared with the work that it still needs; so a
    short one does not wait for a long one, a job that is nearly done is not left, and none waits for ever.
    """
    queues: dict[str, list[Job]] = defaultdict(list)
    for job in sorted(jobs, key=lambda job: job.urgency(clock)):
        queues[job.client].append(job)
    turns = {client: served.get(client, 0.0) for client in queues}
    chosen: list[Job] = []
    left = rows
    while queues:
        client = min(queues, key=lambda client: turns[client])
        job = queues[client].pop()
        if not queues[client]:
            del queues[client]
        if not chosen or (job.form == chosen[0].form and job.width <= left):
            chosen.append(job)
            left -= job.width
            turns[client] += job.width
        if left <= 0:
            break
    return chosen
