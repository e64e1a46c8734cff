"""What counts as showing a prompt."""

import random
from pathlib import Path

import numpy as np
import pytest

from training import evaluate, probe
from training.concepts import COLOURS, CONCEPTS, HUES
from training.probe import labels_of
from training.session import Checkpoint
from training.sprites import SIDE
from training.subjects import Subject, Thing, held_out_background, held_out_pair, held_out_style

SUBJECTS = [
    Subject((Thing(CONCEPTS[0]),), "blue"),
    Subject((Thing(CONCEPTS[1], next(iter(HUES))),), "blue"),
    Subject((Thing(CONCEPTS[2]),), "night"),
]


def pictures() -> np.ndarray:
    return np.broadcast_to(np.array(COLOURS["blue"], np.uint8), (3, SIDE, SIDE, 3))


@pytest.fixture(autouse=True)
def style(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no artwork to compare with where it was not fetched."""
    monkeypatch.setattr(evaluate, "nearest_style", lambda image, thing: "3d")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """What the probe says of the pictures: at first what was asked for."""
    labels = np.array([labels_of(subject) for subject in SUBJECTS])
    monkeypatch.setattr(probe, "guesses", lambda eye, images: labels[: len(images)])
    return labels


def test_the_style_is_that_of_the_nearest_artwork(seen: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    assert evaluate.scores(None, pictures(), SUBJECTS)["style"] == 1
    monkeypatch.setattr(evaluate, "nearest_style", lambda image, thing: "cartoon")
    assert evaluate.scores(None, pictures(), SUBJECTS)["style"] == 0


@pytest.mark.parametrize(
    ("picture", "label", "part"),
    [(0, 0, "concept"), (1, 0, "concept"), (1, 2, "colour"), (2, 1, "scene")],
)
def test_a_picture_shows_all_if_nothing_that_was_asked_for_is_missing(
    seen: np.ndarray, picture: int, label: int, part: str
) -> None:
    right = evaluate.scores(None, pictures(), SUBJECTS)
    assert right["all"] == right[part] == 1
    seen[picture, label] += 1
    wrong = evaluate.scores(None, pictures(), SUBJECTS)
    assert wrong["all"] == pytest.approx(2 / 3, abs=1e-3)
    assert wrong[part] < 1


def test_the_colour_of_an_object_counts_where_one_was_asked_for(seen: np.ndarray) -> None:
    seen[0, 2] = 3
    assert evaluate.scores(None, pictures(), SUBJECTS)["all"] == 1


def test_a_plain_background_counts_by_the_border(seen: np.ndarray) -> None:
    images = pictures().copy()
    images[0] = COLOURS["red"]
    assert evaluate.scores(None, images, SUBJECTS)["all"] == pytest.approx(2 / 3, abs=1e-3)


def test_a_pair_is_right_if_each_is_seen_in_its_half(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = CONCEPTS[:2]
    pair = Subject((Thing(one), Thing(other)), "black", relation="left")
    image = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    image[:, :, : SIDE // 2] = 255

    def seen(eye: object, images: np.ndarray) -> np.ndarray:
        bright = images.mean((1, 2, 3)) > 127 if images.ndim == 4 else np.array([False])
        return np.stack([np.where(bright, 0, 1), *[np.zeros(len(images), int)] * 3], 1)

    monkeypatch.setattr(probe, "_seen", seen)
    assert evaluate.scores(None, image, [pair])["relation"] == 1
    assert evaluate.scores(None, image[:, :, ::-1], [pair])["relation"] == 0


def test_every_suite_has_what_it_is_named_for() -> None:
    rng = random.Random(0)
    pairs = [found for _ in range(300) if (found := evaluate.SUITES["pairs"](rng))]
    styles = [found for _ in range(300) if (found := evaluate.SUITES["styles"](rng))]
    assert pairs and all(held_out_pair(*(thing.concept for thing in subject.things)) for subject in pairs)
    assert {subject.style for subject in styles} == {"3d", "flat icon", "cartoon"}
    assert all(s.style == "3d" or held_out_style(s.things[0].concept, s.style) for s in styles)
    known = [found for _ in range(300) if (found := evaluate.SUITES["known styles"](rng))]
    assert {subject.style for subject in known} == {"3d", "flat icon", "cartoon"}
    assert not any(held_out_style(s.things[0].concept, s.style) for s in known)
    assert all(held_out_background(s.things[0].concept, s.background) for s in known)


def test_there_is_no_measuring_without_a_probe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(probe, "CHECKPOINT", Checkpoint(tmp_path / "probe.npz"))
    with pytest.raises(FileNotFoundError, match="python -m training data"):
        probe.trained()
