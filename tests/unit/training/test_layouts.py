import random

import numpy as np
import pytest

from training.concepts import COLOURS, CONCEPTS, SCENES
from training.evaluate import nearest_colour
from training.layouts import CENTRES, Layouts, layouts
from training.render import Artwork, pictures
from training.scenes import VARIANTS, scene, scenes
from training.sprites import SIDE
from training.subjects import Subject, Thing

ONE, OTHER = CONCEPTS[:2]
INDEX: dict[tuple[str, str, str | None], int] = {(ONE.name, "3d", None): 1, (OTHER.name, "3d", None): 2}


@pytest.fixture(scope="module")
def artwork() -> Artwork:
    """Instead of sprites, which need a download: nothing, a red square and a blue one."""
    sprites = np.zeros((3, SIDE, SIDE, 4), np.uint8)
    sprites[1], sprites[2] = (255, 0, 0, 255), (0, 0, 255, 255)
    return Artwork(sprites, scenes())


def drawn(artwork: Artwork, *subjects: Subject) -> np.ndarray:
    return pictures(artwork, layouts(subjects, INDEX, random.Random(0)))


def where(image: np.ndarray, colour: int) -> np.ndarray:
    """Rows and columns (n, 2) of pixels that are of this channel alone."""
    others = [channel for channel in range(3) if channel != colour]
    return np.argwhere((image[..., colour] > 200) & (image[..., others].max(-1) < 60))


@pytest.mark.parametrize("colour", COLOURS)
def test_a_plain_background_is_near_its_colour(artwork: Artwork, colour: str) -> None:
    image = drawn(artwork, Subject((), colour))[0]
    assert image.shape == (SIDE, SIDE, 3)
    assert nearest_colour(image) == colour


def test_a_scene_has_variants_that_are_drawn_the_same_each_time(artwork: Artwork) -> None:
    for i, name in enumerate(SCENES):
        assert (np.asarray(scene(name, 1)) == scenes()[i * VARIANTS + 1]).all()
        assert (scenes()[i * VARIANTS] != scenes()[i * VARIANTS + 1]).any()
    images = drawn(artwork, *(Subject((), name) for name in SCENES))
    assert len({image.tobytes() for image in images}) == len(SCENES)


def test_an_object_alone_stands_about_the_middle(artwork: Artwork) -> None:
    pixels = where(drawn(artwork, Subject((Thing(ONE),), "white"))[0], 0)
    assert np.abs(pixels.mean(0) - SIDE / 2).max() <= 7
    assert 88**2 * 0.9 < len(pixels) < 106**2


def test_sizes_and_places_are_as_they_are_said(artwork: Artwork) -> None:
    thing = (Thing(ONE),)
    small, big, left, top = drawn(
        artwork,
        Subject(thing, "white", size="small"),
        Subject(thing, "white", size="big"),
        Subject(thing, "white", place="left"),
        Subject(thing, "white", place="top"),
    )
    assert len(where(small, 0)) < 57**2 < 111**2 < len(where(big, 0))
    assert where(left, 0)[:, 1].mean() < 45 < 58 < where(left, 0)[:, 0].mean() < 70
    assert where(top, 0)[:, 0].mean() < 45


@pytest.mark.parametrize("relation", CENTRES)
def test_the_first_of_two_is_where_the_relation_says(artwork: Artwork, relation: str) -> None:
    image = drawn(artwork, Subject((Thing(ONE), Thing(OTHER)), "white", relation=relation))[0]
    for channel, centre in zip((0, 2), CENTRES[relation], strict=True):
        assert np.abs(where(image, channel).mean(0) - centre).max() <= 4


def test_layouts_are_arrays_with_a_row_for_each_picture() -> None:
    made = layouts([Subject((Thing(ONE),), "red"), Subject((), "night")], INDEX, random.Random(0))
    assert isinstance(made, Layouts)
    assert made.sprites.tolist() == [[1, 0], [0, 0]]
    assert made.scenes[0] == -1
    assert made.scenes[1] // VARIANTS == list(SCENES).index("night")
