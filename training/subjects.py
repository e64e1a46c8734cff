"""What a picture shows, which combinations are kept for measuring, and how subjects are drawn."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from training.concepts import (
    BACKGROUNDS,
    CONCEPTS,
    HUES,
    PLACES,
    RELATIONS,
    SIZES,
    STYLES,
    Concept,
)

BACKGROUND_PERCENT = 10
COLOUR_PERCENT = 15
PAIR_PERCENT = 10
STYLE_PERCENT = 5
PLAIN_STYLE = "3d"


@dataclass(frozen=True)
class Thing:
    """An object; no colour means its own."""

    concept: Concept
    colour: str | None = None


@dataclass(frozen=True)
class Subject:
    """What one picture shows: none, one or two things on a background.

    `relation` is where the first of two is, seen from the second; `size` and `place` are of one alone.
    """

    things: tuple[Thing, ...]
    background: str
    style: str = PLAIN_STYLE
    relation: str | None = None
    size: str | None = None
    place: str | None = None


def is_held_out(subject: Subject) -> bool:
    """Whether any combination in it is never trained."""
    return any(
        held_out_background(thing.concept, subject.background)
        or (thing.colour is not None and held_out_colour(thing.concept, thing.colour))
        or held_out_style(thing.concept, subject.style)
        for thing in subject.things
    ) or (len(subject.things) == 2 and held_out_pair(*(thing.concept for thing in subject.things)))


def held_out_background(concept: Concept, background: str) -> bool:
    """Whether the object is never trained on this background: one in ten."""
    return _chance("background", concept.name, background) < BACKGROUND_PERCENT


def held_out_colour(concept: Concept, colour: str) -> bool:
    """Whether the object is never trained in this colour: three in twenty."""
    return _chance("colour", concept.name, colour) < COLOUR_PERCENT


def held_out_pair(first: Concept, second: Concept) -> bool:
    """Whether the two are never trained together, in this order: one in ten."""
    return _chance("pair", first.name, second.name) < PAIR_PERCENT


def held_out_style(concept: Concept, style: str) -> bool:
    """Whether the object is never trained in this style: one in twenty, and never its plain style."""
    return style != PLAIN_STYLE and _chance("style", concept.name, style) < STYLE_PERCENT


def _chance(*names: str) -> float:
    """A percentage that depends on the names alone: held-out combinations are the same in every run."""
    digest = hashlib.blake2b("|".join(names).encode(), digest_size=4).digest()
    return int.from_bytes(digest) * 100 / 2**32


def random_subject(rng: random.Random, recolourable: frozenset[str]) -> Subject:
    """A subject to train: no combination in it is held out.

    45 % one object, 20 % a recoloured one, 20 % two objects, 10 % one of a size or at a place, 5 % none.
    """
    while True:
        subject = _any_subject(rng, recolourable)
        if not is_held_out(subject):
            return subject


def _any_subject(rng: random.Random, recolourable: frozenset[str]) -> Subject:
    background = rng.choice(BACKGROUNDS)
    style = rng.choices(list(STYLES), (2, 1, 1))[0]
    kind = rng.random()
    if kind < 0.05:
        return Subject((), background)
    if kind < 0.25:
        things = tuple(random_thing(rng, recolourable, 0.3) for _ in range(2))
        return Subject(things, background, style, relation=rng.choice(list(RELATIONS)))
    if kind < 0.35:
        things = (random_thing(rng, recolourable, 0.2),)
        if rng.random() < 0.5:
            return Subject(things, background, style, size=rng.choice(list(SIZES)))
        return Subject(things, background, style, place=rng.choice(list(PLACES)))
    return Subject((random_thing(rng, recolourable, 0.45),), background, style)


def random_thing(rng: random.Random, recolourable: frozenset[str], coloured: float) -> Thing:
    """Any object, in another colour with this chance where it can be."""
    concept = rng.choice(CONCEPTS)
    if concept.name in recolourable and rng.random() < coloured:
        return Thing(concept, rng.choice(list(HUES)))
    return Thing(concept)
