"""What is known of one job."""

from dataclasses import dataclass

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
PENDING = (QUEUED, RUNNING)
"""The states of a job that has not ended."""


@dataclass(frozen=True)
class Webhook:
    """Who is told when the job ends; `secret` is `whsec_` and base64, the key of the signature."""

    url: str
    secret: str


@dataclass(frozen=True)
class Record:
    """One job. Times are in seconds since 1970.

    `kind` is the route that would do it at once; `parameters` is its request in JSON, less pictures. Where
    the client chose no seed, one was `drawn`. `key` is the client's name for the job, `digest` of what it
    asked for under that name. `runs` is how often it was begun, `error` the answer of one that failed, in
    JSON, and `size` what it takes on the disk, in bytes. `notified` is what came of the webhook: pending,
    delivered or failed.
    """

    id: str
    kind: str
    client: str
    parameters: str
    drawn: bool
    key: str | None
    digest: str
    webhook: Webhook | None
    created: float
    state: str = QUEUED
    began: float | None = None
    ended: float | None = None
    runs: int = 0
    error: str | None = None
    size: int = 0
    notified: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.state not in PENDING
