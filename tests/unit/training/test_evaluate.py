"""What counts as showing a prompt."""

import random
from pathlib import Path
from typing import Any, cast

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


def drawn(side: int, y: int, x: int) -> np.ndarray:
    """A red square on white with its middle there."""
    image = np.full((SIDE, SIDE, 3), 250, np.uint8)
    image[y - side // 2 : y + side // 2, x - side // 2 : x + side // 2] = COLOURS["red"]
    return image


@pytest.mark.parametrize(
    ("asked", "image", "part", "share"),
    [
        ({"size": "small"}, drawn(48, 64, 64), "size", 1),
        ({"size": "small"}, drawn(120, 64, 64), "size", 0),
        ({"size": "big"}, drawn(120, 64, 64), "size", 1),
        ({"size": "big"}, drawn(76, 64, 64), "size", 0),
        ({"place": "left"}, drawn(64, 64, 36), "place", 1),
        ({"place": "left"}, drawn(64, 64, 92), "place", 0),
        ({"place": "bottom"}, drawn(64, 92, 64), "place", 1),
        ({"place": "bottom"}, drawn(64, 64, 64), "place", 0),
        ({"place": "top"}, np.full((SIDE, SIDE, 3), 250, np.uint8), "place", 0),
    ],
)
def test_size_and_place_are_those_of_the_outline(
    seen: np.ndarray, asked: dict[str, str], image: np.ndarray, part: str, share: float
) -> None:
    subject = Subject((Thing(CONCEPTS[0]),), "white", **asked)
    assert evaluate.scores(None, image[None], [subject])[part] == share


class Painting:
    """Paints what is told beforehand, and keeps what was asked."""

    def __init__(self, *answers: np.ndarray) -> None:
        self.answers = list(answers)
        self.negatives: list[list[str] | None] = []

    def paint(self, prompts: list[str], *how: float, negatives: list[str] | None = None) -> np.ndarray:
        self.negatives.append(negatives)
        return self.answers.pop(0)


def test_a_negative_prompt_works_where_the_colour_it_names_is_gone() -> None:
    blue, red = (np.full((SIDE, SIDE, 3), COLOURS[name], np.uint8) for name in ("blue", "red"))
    striped = blue.copy()
    striped[::2] = COLOURS["red"]
    painting = Painting(np.stack([blue, blue, striped]), np.stack([red, blue, red]))
    found = evaluate.negative_scores(cast(Any, painting), 3)
    assert painting.negatives[0] is None
    assert painting.negatives[1] is not None and painting.negatives[1][0] == "blue background"
    assert found == {"plain": pytest.approx(2 / 3, abs=1e-3), "colour gone": 0.5}
