import random

import numpy as np
import pytest

from training.captions import Subject, held_out
from training.compose import compose, example, scene
from training.concepts import COLOURS, CONCEPTS, SCENES
from training.data import labels_of, subject_of
from training.evaluate import nearest_colour
from training.sprites import FOLDER

with_artwork = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the artwork: python -m training data")


@pytest.mark.parametrize("colour", COLOURS)
def test_a_plain_background_is_near_its_colour(colour: str) -> None:
    image = compose(Subject(None, colour), random.Random(0))
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.uint8
    assert nearest_colour(image) == colour


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_has_variants_that_are_drawn_the_same_each_time(name: str) -> None:
    scene.cache_clear()
    first = np.asarray(scene(name, 0))
    scene.cache_clear()
    assert (np.asarray(scene(name, 0)) == first).all()
    assert (np.asarray(scene(name, 1)) != first).any()


@with_artwork
def test_an_object_stands_in_the_middle_of_its_background() -> None:
    image = compose(Subject(CONCEPTS[0], "blue"), random.Random(0)).astype(int)
    background = image[0, 0]
    changed = np.abs(image - background).sum(-1) > 40
    assert nearest_colour(image) == "blue"
    assert changed[16:48, 16:48].mean() > 0.5
    assert not changed[:2].any()


@with_artwork
def test_examples_are_never_of_held_out_pairs() -> None:
    rng = random.Random(3)
    subjects = [example(rng).subject for _ in range(200)]
    assert not any(s.concept and held_out(s.concept, s.background) for s in subjects)
    assert {s.colour is None for s in subjects} == {True, False}


def test_labels_say_all_of_a_subject() -> None:
    for subject in (
        Subject(None, "snow"),
        Subject(CONCEPTS[3], "red"),
        Subject(CONCEPTS[9], "night", "pink"),
    ):
        assert subject_of(labels_of(subject)) == subject
