import math
from pathlib import Path

import pytest

from benchmarks import batching, page, plot
from benchmarks.bookkeeping import milliseconds_a_step


def record(rate: float, short: float) -> dict[str, object]:
    return {"rates": {"1": rate, "4": rate, "16": 2 * rate}, "short": [short, short, 3 * short]}


def test_a_table_has_rates_and_waits_and_says_how_they_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- batching: begin -->\n\n<!-- batching: end -->\n")
    monkeypatch.setattr(page.fill, "__defaults__", (readme,))
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    monkeypatch.setattr(plot, "lines", lambda *_: None)
    book = {"milliseconds": 0.25, "jobs": 32}
    batching.write({"engine": record(4.0, 0.2), "fifo": record(2.0, 2.0), "bookkeeping": book})
    text = readme.read_text()
    assert "| Triptych | 4.00 | 4.00 | 8.00 | 0.200 | 0.560 |" in text
    assert "| Triptych, batching off | not measured |" in text
    assert "2.00 times the pictures of 16 clients" in text
    assert "0.10 (p50) and 0.10 (p95) of the time" in text
    assert "32 jobs: 0.25 ms" in text


def test_bookkeeping_is_measured_without_a_model() -> None:
    assert math.isfinite(milliseconds_a_step(jobs=3, steps=5))
