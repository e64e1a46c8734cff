from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.less_work import BASELINE, WAYS, work, write
from triptych.fields import Fields
from triptych.requests import DenoiseSettings
from triptych.variants import VARIANTS

WHOLE = {"share": 0.9, "rows": {"whole": 1000}, "milliseconds": {"whole": 2.0}}
DEEP = {
    "share": 0.89,
    "rows": {"keeping": 500, "shallow": 500},
    "milliseconds": {"keeping": 4.0, "shallow": 1.0},
}


def test_work_is_rows_by_what_they_take_at_one_pace() -> None:
    assert work(WHOLE, WHOLE) == 2000
    assert work(DEEP, WHOLE) == 500 * 2.0 + 500 * 0.5


def test_the_table_says_what_is_spared_and_whether_it_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- less_work: begin -->\n<!-- less_work: end -->\n")
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    monkeypatch.setattr(page.fill, "__defaults__", (readme,))
    poor = {**DEEP, "share": 0.5}
    write({BASELINE: WHOLE, "the same, deep features of every second call": DEEP, "all three": poor}, 100)
    text = readme.read_text()
    assert f"| {BASELINE} | 1.00 | 0.900 | yes |" in text
    assert "| the same, deep features of every second call | 0.625 | 0.890 | yes |" in text
    assert "| all three | 0.625 | 0.500 | no |" in text
    assert "| 9 steps, karras | not measured |" in text


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_a_request(way: str) -> None:
    DenoiseSettings.read(Fields(WAYS[way]), VARIANTS["tiny"])
