"""What counts as showing a prompt."""

import numpy as np
import pytest

from training import evaluate, probe
from training.captions import Subject
from training.concepts import COLOURS, CONCEPTS, HUES
from training.data import labels_of

SUBJECTS = [
    Subject(CONCEPTS[0], "blue"),
    Subject(CONCEPTS[1], "blue", next(iter(HUES))),
    Subject(CONCEPTS[2], "night"),
]


def pictures() -> np.ndarray:
    return np.broadcast_to(np.array(COLOURS["blue"], np.uint8), (3, 64, 64, 3))


@pytest.mark.parametrize(
    ("picture", "label", "part"),
    [(0, 0, "concept"), (1, 0, "concept"), (1, 2, "colour"), (2, 1, "scene")],
)
def test_a_picture_shows_all_if_nothing_that_was_asked_for_is_missing(
    monkeypatch: pytest.MonkeyPatch, picture: int, label: int, part: str
) -> None:
    seen = np.array([labels_of(subject) for subject in SUBJECTS])
    monkeypatch.setattr(probe, "guesses", lambda eye, images: seen)
    right = evaluate.scores(None, pictures(), SUBJECTS)
    assert right["all"] == right[part] == 1
    seen[picture, label] += 1
    wrong = evaluate.scores(None, pictures(), SUBJECTS)
    assert wrong["all"] == pytest.approx(2 / 3, abs=1e-3)
    assert wrong[part] < 1


def test_the_colour_of_an_object_counts_where_one_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = np.array([labels_of(subject) for subject in SUBJECTS])
    seen[0, 2] = 3
    monkeypatch.setattr(probe, "guesses", lambda eye, images: seen)
    assert evaluate.scores(None, pictures(), SUBJECTS)["all"] == 1


def test_a_plain_background_counts_by_the_border(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = np.array([labels_of(subject) for subject in SUBJECTS])
    monkeypatch.setattr(probe, "guesses", lambda eye, images: seen)
    images = pictures().copy()
    images[0] = COLOURS["red"]
    assert evaluate.scores(None, images, SUBJECTS)["all"] == pytest.approx(2 / 3, abs=1e-3)


def test_there_is_no_measuring_without_a_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "CHECKPOINT", type("None", (), {"restore_average": lambda self, model: 0.0})())
    with pytest.raises(FileNotFoundError, match="python -m training data"):
        probe.trained()
