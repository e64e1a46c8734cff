"""What counts as showing a prompt."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training import evaluate, probe
from training.concepts import COLOURS, CONCEPTS, HUES
from training.probe import labels_of
from training.session import Checkpoint
from training.sprites import SIDE
from training.subjects import Subject, Thing, held_out_pair, held_out_style

SUBJECTS = [
    Subject((Thing(CONCEPTS[0]),), "blue"),
    Subject((Thing(CONCEPTS[1], next(iter(HUES))),), "blue"),
    Subject((Thing(CONCEPTS[2]),), "night"),
]


def pictures() -> np.ndarray:
    return np.broadcast_to(np.array(COLOURS["blue"], np.uint8), (3, SIDE, SIDE, 3))


class Said:
    """Where a probe stands: it says this of every picture, at first what was asked for."""

    def __init__(self) -> None:
        self.labels = np.array([labels_of(subject) for subject in SUBJECTS])

    def guesses(self, images: np.ndarray) -> np.ndarray:
        return self.labels[: len(images)]


class Bright:
    """Stands for a model: it tells the first object of what is bright, the second of what is dark."""

    def predict(self, images: np.ndarray, **options: object) -> dict[str, np.ndarray]:
        bright = images.mean((1, 2, 3)) > 0
        return {name: np.stack([bright, ~bright], 1).astype(np.float32) for name in probe.OUTPUTS}


def scores(said: Said, images: np.ndarray, chosen: list[Subject]) -> evaluate.Scores:
    return evaluate.scores(said, images, chosen)  # type: ignore[arg-type]


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.mark.parametrize(
    ("picture", "label", "part"),
    [(0, 0, "concept"), (1, 0, "concept"), (1, 2, "colour"), (2, 1, "scene")],
)
def test_a_picture_shows_all_if_nothing_that_was_asked_for_is_missing(
    said: Said, picture: int, label: int, part: str
) -> None:
    right = scores(said, pictures(), SUBJECTS)
    assert right["all"] == right[part] == right["style"] == 1
    said.labels[picture, label] += 1
    wrong = scores(said, pictures(), SUBJECTS)
    assert wrong["all"] == pytest.approx(2 / 3, abs=1e-3)
    assert wrong[part] < 1


def test_the_colour_of_an_object_counts_where_one_was_asked_for(said: Said) -> None:
    said.labels[0, 2] = 3
    assert scores(said, pictures(), SUBJECTS)["all"] == 1


def test_a_plain_background_counts_by_the_border(said: Said) -> None:
    images = pictures().copy()
    images[0] = COLOURS["red"]
    assert scores(said, images, SUBJECTS)["all"] == pytest.approx(2 / 3, abs=1e-3)


def test_a_pair_is_right_if_each_is_seen_in_its_half() -> None:
    one, other = CONCEPTS[:2]
    pair = Subject((Thing(one), Thing(other)), "black", relation="left")
    image = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    image[:, :, : SIDE // 2] = 255
    eye = probe.Probe(Bright(), Bright())

    assert evaluate.scores(eye, image, [pair])["relation"] == 1
    assert evaluate.scores(eye, image[:, :, ::-1], [pair])["relation"] == 0


def test_every_suite_has_what_it_is_named_for() -> None:
    rng = random.Random(0)
    pairs = [found for _ in range(300) if (found := evaluate.SUITES["pairs"](rng))]
    styles = [found for _ in range(300) if (found := evaluate.SUITES["styles"](rng))]
    assert pairs and all(held_out_pair(*(thing.concept for thing in subject.things)) for subject in pairs)
    assert {subject.style for subject in styles} == {"3d", "flat icon", "cartoon"}
    assert all(s.style == "3d" or held_out_style(s.things[0].concept, s.style) for s in styles)


def test_there_is_no_measuring_without_a_probe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    eye = replace(probe.OBJECT_EYE, checkpoint=Checkpoint(tmp_path / "probe.npz"))
    monkeypatch.setattr(probe, "OBJECT_EYE", eye)
    with pytest.raises(FileNotFoundError, match="python -m training data"):
        probe.Probe.trained()
