from pathlib import Path
from typing import Any

import pytest

from benchmarks import overload, page
from benchmarks.overload_rows import WINDOW_SECONDS


def asked(at: float, status: int, again: bool = False) -> dict[str, Any]:
    told = ("4" if again else "2") if status == 429 else ""
    sound = status in (200, 429)
    return {"began": at, "status": status, "seconds": 1.0, "told": told, "again": again, "sound": sound}


REQUESTS = [
    *(asked(at, 200) for at in range(0, 60, 2)),
    *(asked(at, 429) for at in range(60)),
    *(asked(at, 200 if at < 45 else 429, again=True) for at in range(60)),
    asked(30, 500),
]
ARRIVALS = {
    "capacity": 1.5,
    "times": 2,
    "seconds": 60,
    "requests": REQUESTS,
    "memories": [{"gateway": 70.0, "decoder": 30.0 + at} for at in range(10)],
}
LISTENERS = {
    "clients": 500,
    "alone": {"processor": 0.001, "memory": 70.0},
    "watched": {"processor": 0.0215, "memory": 95.0},
}


def test_the_table_says_what_became_of_each_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- overload: begin -->\n\n<!-- overload: end -->\n")
    monkeypatch.setattr(page.fill, "__defaults__", (readme,))
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    drawn: list[dict[str, Any]] = []
    monkeypatch.setattr("benchmarks.plot.lines", lambda path, series, *_: drawn.append(series))
    overload.write({"arrivals": ARRIVALS, "listeners": LISTENERS})
    rows = dict(
        line.strip("| ").split(" | ") for line in readme.read_text().splitlines() if line.startswith("| ")
    )
    assert rows["requests a second that came"] == "2.52"
    assert rows["of these 1 minutes: pictures a second"] == "1.25"
    assert rows["refused with 429"] == "75"
    assert rows["Retry-After"] == "2 to 4 s, 2 s at the median"
    assert rows["let in when they came again as told"] == "75% of 60"
    assert rows["any other answer"] == "1"
    assert (rows["memory of all, first tenth of the time, MB"], rows["last tenth, MB"]) == ("100", "109")
    assert rows["memory that one takes of the gateway's, KB"] == "51.2"
    (series,) = drawn
    assert list(series["refused"]) == list(range(0, 60, WINDOW_SECONDS))
    assert sum(series["refused"].values()) * WINDOW_SECONDS == pytest.approx(75)


def test_what_was_not_measured_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- overload: begin -->\n\n<!-- overload: end -->\n")
    monkeypatch.setattr(page.fill, "__defaults__", (readme,))
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    overload.write({"arrivals": {"error": "it broke"}})
    text = readme.read_text()
    assert "| arrivals | failed: it broke |" in text
    assert "| listeners | not measured |" in text
