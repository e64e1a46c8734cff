import random

from training.concepts import BACKGROUNDS, COLOURS, CONCEPTS, HUES, NAMES, SCENES, STYLES
from training.subjects import (
    Subject,
    Thing,
    held_out_background,
    held_out_colour,
    held_out_pair,
    held_out_style,
    is_held_out,
    random_subject,
)


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def test_there_are_enough_concepts_styles_backgrounds_and_scenes() -> None:
    assert len(set(NAMES)) == len(CONCEPTS) >= 500
    assert len({word for concept in CONCEPTS for word in concept.words}) > len(CONCEPTS)
    assert (len(STYLES), len(COLOURS), len(SCENES)) == (3, 10, 7)


def test_no_word_means_two_things() -> None:
    words = [word for concept in CONCEPTS for word in concept.words]
    assert len(set(words)) == len(words)


def test_shares_of_all_combinations_are_held_out() -> None:
    assert 0.09 < share([held_out_background(c, b) for c in CONCEPTS for b in BACKGROUNDS]) < 0.11
    assert 0.13 < share([held_out_colour(c, hue) for c in CONCEPTS for hue in HUES]) < 0.17
    assert 0.09 < share([held_out_pair(a, b) for a in CONCEPTS[:99] for b in CONCEPTS]) < 0.11
    assert 0.03 < share([held_out_style(c, "cartoon") for c in CONCEPTS]) < 0.07
    assert not any(held_out_style(concept, "3d") for concept in CONCEPTS)


def test_what_is_held_out_is_the_same_in_every_run() -> None:
    # Fixed by the hash: a change of it would make combinations that were trained count as new.
    held = [[b for b in BACKGROUNDS if held_out_background(concept, b)] for concept in CONCEPTS[:3]]
    assert held == [[], ["orange", "beach"], []]


def test_subjects_that_are_trained_have_no_combination_that_is_held_out() -> None:
    rng = random.Random(3)
    subjects = [random_subject(rng, frozenset(NAMES)) for _ in range(3000)]
    assert not any(is_held_out(subject) for subject in subjects)
    counts = [len(subject.things) for subject in subjects]
    assert [share([count == n for count in counts]) > 0.02 for n in range(3)] == [True] * 3
    assert {subject.style for subject in subjects} == set(STYLES)
    assert {subject.background for subject in subjects} == set(BACKGROUNDS)


def test_one_combination_that_is_held_out_is_enough() -> None:
    concept = next(c for c in CONCEPTS if held_out_colour(c, "red") and not held_out_background(c, "blue"))
    assert not is_held_out(Subject((Thing(concept),), "blue"))
    assert is_held_out(Subject((Thing(concept, "red"),), "blue"))
