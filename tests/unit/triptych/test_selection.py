from pathlib import Path

import pytest

from triptych.selection import SETTINGS, Selection, SelectionError, weights_dir


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


def test_where_nothing_is_said_everything_is_left_to_the_model() -> None:
    assert Selection.read() == Selection("", "", "", "", False, "", "float32", None)
    assert weights_dir() == Path.home() / ".cache/triptych"


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"MODEL": " a/b ", "VAE": "c", "LORA": "d:0.5", "ALLOW_PICKLE": "TRUE", "SD_VERSION": "2"}
    more = {"PREDICTION_TYPE": "v_prediction", "DTYPE": "bfloat16", "MAX_COMPILED_SIZES": "3"}
    for name, value in (said | more).items():
        monkeypatch.setenv(name, value)
    assert Selection.read() == Selection("2", "a/b", "c", "d:0.5", True, "v_prediction", "bfloat16", 3)


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.setenv(name, "")
    assert Selection.read() == Selection("", "", "", "", False, "", "float32", None)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DTYPE", "int8", "DTYPE must be one of float32, bfloat16, float16; got 'int8'"),
        ("ALLOW_PICKLE", "perhaps", "ALLOW_PICKLE must be one of false, 0, no, true, 1, yes; got 'perhaps'"),
        ("PREDICTION_TYPE", "v", "PREDICTION_TYPE must be one of epsilon, v_prediction; got 'v'"),
        ("MAX_COMPILED_SIZES", "0", "MAX_COMPILED_SIZES must be a whole number from 1; got '0'"),
        ("MAX_COMPILED_SIZES", "-1", "MAX_COMPILED_SIZES must be a whole number from 1; got '-1'"),
    ],
)
def test_what_is_impossible_is_refused_with_what_is_not(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SelectionError, match=sentence):
        Selection.read()
