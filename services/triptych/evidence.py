"""What the library tells of its work while it works, to whoever serves it."""

from typing import Protocol


class Evidence(Protocol):
    """Told from any thread; each returns at once and raises nothing."""

    def looked_up(self, cache: str, found: bool) -> None:
        """Something was looked for among what is kept: `contexts`, `latents` or `pictures`."""

    def called(self, rows: int, seconds: float) -> None:
        """The UNet was called once, for so many rows of requests."""

    def compiled(self, part: str, seconds: float) -> None:
        """A program of this part was compiled."""

    def exhausted(self) -> None:
        """Memory did not suffice for a call of a model."""


class Unseen:
    """Evidence that nobody looks at."""

    def looked_up(self, cache: str, found: bool) -> None:
        pass

    def called(self, rows: int, seconds: float) -> None:
        pass

    def compiled(self, part: str, seconds: float) -> None:
        pass

    def exhausted(self) -> None:
        pass


UNSEEN = Unseen()


def evidence_of(report: object) -> Evidence:
    """Where a handler's `report` has an attribute `evidence`, that; else nowhere.

    So handlers, which hand `report` on to all that they construct, need not know of it.
    """
    evidence: Evidence = getattr(report, "evidence", UNSEEN)
    return evidence
