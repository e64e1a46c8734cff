"""Tables and results on the page: README.md between markers, and JSON beside it."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.trial import Record

FOLDER = Path(__file__).parent
README = FOLDER / "README.md"
RESULTS = FOLDER / "results"
REASON = 120
SMALL = 1e-3


def table(columns: Sequence[str], rows: Sequence[Sequence[str | float | None]]) -> str:
    """A Markdown table; numbers with three digits that count, "–" where there is none."""
    lines = [columns, ["---"] * len(columns), *([cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(value: str | float | None) -> str:
    """One value of a table: 1e-05, 0.0123, 1.23, 12.3, 123, 12345."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, str):
        return value
    if 0 < abs(value) < SMALL:
        return f"{value:.0e}"
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(digits, 0)}f}"


def absent(labels: Sequence[str], record: Record | None, width: int) -> list[str | float | None]:
    """The row of a trial that was not run, or that failed."""
    why = "not measured" if record is None else f"failed: {record['error'][:REASON]}".replace("|", "/")
    return [*labels, why, *[None] * (width - len(labels) - 1)]


def fill(name: str, text: str, page: Path = README) -> None:
    """Put the text between the page's `<!-- name: begin -->` and `<!-- name: end -->`."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    content = page.read_text("utf-8")
    if begin not in content or end not in content:
        raise ValueError(f"{page.name} must have the lines {begin} and {end}")
    before, _, rest = content.partition(begin)
    page.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{rest.partition(end)[2]}", "utf-8")


def keep(
    name: str, machine: Mapping[str, Any], records: Iterable[Record], folder: Path | None = None, **more: Any
) -> None:
    """Write results/NAME.json: the machine, and the records without their arguments, which name folders."""
    trials = [{key: value for key, value in record.items() if key != "arguments"} for record in records]
    folder = folder or RESULTS
    folder.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine, "trials": trials, **more}, indent=1, sort_keys=True)
    (folder / f"{name}.json").write_text(text + "\n", "utf-8")
