"""Results go onto the page between its markers."""

import json
from pathlib import Path

import pytest

from benchmarks.page import absent, cell, fill, keep, table

PAGE = "# Title\n\n<!-- models: begin -->\nold\n<!-- models: end -->\n\nprose\n"


def test_only_what_is_between_the_markers_changes(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(PAGE)
    fill("models", "new", page)
    assert page.read_text() == PAGE.replace("\nold\n", "\n\nnew\n\n")
    fill("models", "new", page)
    assert page.read_text() == PAGE.replace("\nold\n", "\n\nnew\n\n")


def test_a_page_without_the_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(PAGE)
    with pytest.raises(ValueError, match=r"README.md must have the lines <!-- images: begin -->"):
        fill("images", "new", page)
    assert page.read_text() == PAGE


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12346"), (12.34, "12.3"), (0.01234, "0.0123"), (0.0, "0"), (1e-5, "1e-05"), (None, "–")],
)
def test_numbers_have_three_digits_that_count(value: float | None, text: str) -> None:
    assert cell(value) == text


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(["", "s"], [["a", 1.0], ["b", None]]) == "|  | s |\n| --- | --- |\n| a | 1.00 |\n| b | – |"


def test_a_row_says_why_it_is_empty() -> None:
    assert absent(["a"], None, 3) == ["a", "not measured", None]
    assert absent(["a"], {"error": "out of memory"}, 3) == ["a", "failed: out of memory", None]


def test_what_is_kept_does_not_name_folders_of_the_machine(tmp_path: Path) -> None:
    record = {"trial": "a", "arguments": {"folder": str(tmp_path)}, "seconds": [1.0]}
    keep("models", {"cores": 2}, [record], tmp_path, steps=25)
    text = (tmp_path / "models.json").read_text()
    assert json.loads(text) == {
        "machine": {"cores": 2},
        "steps": 25,
        "trials": [{"trial": "a", "seconds": [1.0]}],
    }
    assert record["arguments"]
