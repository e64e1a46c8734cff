"""The table of faults in the documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.machine import described, facts
from benchmarks.page import fill
from tests.faults.client import summary
from tests.faults.trial import Row
from tests.running import ROOT

PAGE = ROOT / "docs" / "operations" / "faults.md"
COLUMNS = ("fault", "what the client sees", "well again after", "jobs taken", "lost")


@dataclass(frozen=True)
class Outcome:
    """A row, or why there is none."""

    name: str
    row: Row | None
    problem: str = ""

    @property
    def is_well(self) -> bool:
        return (
            self.row is not None and not self.row.lost and all(one.status != 500 for one in self.row.answers)
        )

    @property
    def cells(self) -> tuple[str, ...]:
        row = self.row
        if row is None:
            return (self.name, self.problem, "–", "–", "–")
        return row.fault, summary(row.answers), f"{row.healed:.1f} s", str(row.accepted), str(len(row.lost))

    @property
    def text(self) -> str:
        return " · ".join(self.cells) + "".join(
            f"\n    lost: {one}" for one in (self.row.lost if self.row else [])
        )


def write(outcomes: Sequence[Outcome]) -> None:
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(one.cells for one in outcomes)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    fill("faults", f"{table}\n\n{described(facts(), [])}", PAGE)
