"""How well pictures show their prompts, on combinations that were trained and on some that never were."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from typing import NamedTuple

import keras
import numpy as np

from training import probe
from training.captions import full_caption, plain_caption, with_article
from training.concepts import BACKGROUNDS, COLOURS, CONCEPTS, HUES, PLACES, RELATIONS, SIZES, STYLES
from training.export import shipped
from training.layouts import AWAY, CENTRES, layouts
from training.nearest import nearest_style
from training.paths import RUNS
from training.probe import labels_of
from training.render import Artwork, pictures
from training.sampling import Painter
from training.sprites import SIDE, atlas, recolourable
from training.subjects import (
    Subject,
    Thing,
    held_out_background,
    held_out_colour,
    held_out_pair,
    held_out_style,
    is_held_out,
)
from triptych.variants import VARIANTS

COUNT = 300
GUIDANCE = VARIANTS["tiny"].guidance_scale
STEPS = VARIANTS["tiny"].num_steps
SCALES = (2.0, 3.0, 4.0, 5.0, 6.0)
RESULTS = RUNS / "evaluation.json"
DIFFERENT, FLAT = 40, 12
"""Of 255: how far a pixel of an object is from its background, and how far a plain one may waver."""
SMALL_BELOW, BIG_ABOVE, ASIDE = 55, 82, 12
"""Pixels: the sides of what counts as small and as big, and how far from the middle is beside it."""
Scores = dict[str, float]


class Outline(NamedTuple):
    """The middle of an object and its longer side, in pixels."""

    y: float
    x: float
    side: float


def subjects(held: bool, count: int = COUNT, seed: int = 4242) -> list[Subject]:
    """So many single objects on backgrounds, held out or trained, recoloured two times in five."""
    rng = random.Random(seed)
    found: list[Subject] = []
    while len(found) < count:
        concept, background = rng.choice(CONCEPTS), rng.choice(BACKGROUNDS)
        if held_out_background(concept, background) == held:
            colours = [c for c in HUES if c != background and not held_out_colour(concept, c)]
            coloured = concept.name in recolourable() and rng.random() < 0.4
            found.append(Subject((Thing(concept, rng.choice(colours) if coloured else None),), background))
    return found


def _held_out_colours(rng: random.Random) -> Subject | None:
    thing = Thing(rng.choice(CONCEPTS), rng.choice(list(HUES)))
    fits = thing.concept.name in recolourable() and held_out_colour(thing.concept, thing.colour or "")
    return Subject((thing,), rng.choice([b for b in BACKGROUNDS if b != thing.colour])) if fits else None


def _held_out_pairs(rng: random.Random) -> Subject | None:
    one, other = rng.sample(CONCEPTS, 2)
    subject = Subject(
        (Thing(one), Thing(other)), rng.choice(BACKGROUNDS), relation=rng.choice(list(RELATIONS))
    )
    return subject if held_out_pair(one, other) else None


def _held_out_styles(rng: random.Random) -> Subject | None:
    concept, style = rng.choice(CONCEPTS), rng.choice(list(STYLES))
    subject = Subject((Thing(concept),), rng.choice(BACKGROUNDS), style)
    held = held_out_style(concept, style) or (style == "3d" and is_held_out(subject))
    return subject if held else None


def _known_styles(rng: random.Random) -> Subject | None:
    """An object that was shown in this style, and never on this background."""
    concept, background, style = rng.choice(CONCEPTS), rng.choice(BACKGROUNDS), rng.choice(list(STYLES))
    fits = held_out_background(concept, background) and not held_out_style(concept, style)
    return Subject((Thing(concept),), background, style) if fits else None


def _sizes_and_places(rng: random.Random) -> Subject | None:
    """An object on a plain background that it was never shown on, so that its outline can be measured."""
    thing, background = Thing(rng.choice(CONCEPTS)), rng.choice(list(COLOURS))
    if not held_out_background(thing.concept, background):
        return None
    if rng.random() < 0.5:
        return Subject((thing,), background, size=rng.choice(list(SIZES)))
    return Subject((thing,), background, place=rng.choice(list(PLACES)))


SUITES: dict[str, Callable[[random.Random], Subject | None]] = {
    "object colours": _held_out_colours,
    "pairs": _held_out_pairs,
    "styles": _held_out_styles,
    "known styles": _known_styles,
    "sizes and places": _sizes_and_places,
}
"""More that is measured, each drawn until there are enough: a subject, or None where it doesn't fit."""


def suite(name: str, count: int = COUNT) -> list[Subject]:
    """So many subjects of a suite."""
    rng = random.Random(name)
    found: list[Subject] = []
    while len(found) < count:
        subject = SUITES[name](rng)
        if subject is not None:
            found.append(subject)
    return found


def measure(scales: Iterable[float] = SCALES, count: int = COUNT) -> dict[str, Scores]:
    """Measure the shipped file, and write the results to a JSON file after each part."""
    painter, eye = shipped(), probe.trained()
    results: dict[str, Scores] = {}

    def note(name: str, found: Scores) -> None:
        results[name] = found
        print(name, found, flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1))

    for name, found in autoencoder_scores(painter, eye, subjects(True, count)).items():
        note(name, found)
    for name in SUITES:
        note(f"real, {name}", scores(eye, composed(suite(name, count)), suite(name, count)))
        note(name, _painted(painter, eye, suite(name, count), GUIDANCE))
    chosen, rng = subjects(True, count), random.Random(5)
    worded = painter.paint([full_caption(subject, rng) for subject in chosen], GUIDANCE, STEPS)
    note("held out, in many wordings", scores(eye, worded, chosen))
    note("negative prompts", negative_scores(painter, count))
    note("seen", _painted(painter, eye, subjects(False, count), GUIDANCE))
    for scale in scales:
        note(f"held out, guidance {scale:g}", _painted(painter, eye, subjects(True, count), scale))
    return results


def composed(chosen: list[Subject]) -> np.ndarray:
    """Real pictures of the subjects, uint8 (n, 128, 128, 3)."""
    return pictures(Artwork.load(), layouts(chosen, atlas()[1], random.Random(7)))


def _painted(painter: Painter, eye: keras.Model, chosen: list[Subject], guidance: float) -> Scores:
    say_style = any(subject.style != chosen[0].style for subject in chosen)
    prompts = [plain_caption(subject, say_style) for subject in chosen]
    return scores(eye, painter.paint(prompts, guidance, STEPS), chosen)


def negative_scores(painter: Painter, count: int = COUNT) -> Scores:
    """Shares of pictures without a colour in their background that the negative prompt says.

    It is the colour that the same noise makes without one: `without` negative prompt all have it, by choice.
    Objects are prompted alone, and those count that are made on a plain background.
    """
    rng = random.Random(6)
    prompts = [with_article(concept.name) for concept in rng.choices(CONCEPTS, k=count)]
    before = painter.paint(prompts, GUIDANCE, STEPS)
    colours = [nearest_colour(image) for image in before]
    after = painter.paint(prompts, GUIDANCE, STEPS, negatives=[f"{colour} background" for colour in colours])
    plain = np.array([border(image).std(0).max() < FLAT for image in before])
    gone = np.array([nearest_colour(image) != was for image, was in zip(after, colours, strict=True)])
    return {"plain": round(float(plain.mean()), 4), "colour gone": round(float(gone[plain].mean()), 4)}


def autoencoder_scores(painter: Painter, eye: keras.Model, chosen: list[Subject]) -> dict[str, Scores]:
    """The probe on real pictures and on the autoencoder's, which also have their PSNR in dB."""
    real = composed(chosen)
    rebuilt = painter.codec.decode(painter.codec.encode(real))
    error = ((real.astype(np.float64) - rebuilt) ** 2).mean((1, 2, 3))
    results = {"real": scores(eye, real, chosen), "autoencoder": scores(eye, rebuilt, chosen)}
    results["autoencoder"]["psnr"] = round(float((10 * np.log10(255**2 / error)).mean()), 2)
    return results


def scores(eye: keras.Model, images: np.ndarray, chosen: list[Subject]) -> Scores:
    """Shares of pictures that show the object, plain background, scene, object colour and style asked for.

    `relation` is the share of pairs of which both objects are seen, each in its half. `all` is the share
    that shows all of it. `style` is that of the nearest artwork (`nearest`), `look` the one that the probe
    sees, which knows of no object's artwork. `size` and `place` are told by the object's outline, on a
    plain background. `shuffled` compares objects with those of other prompts: what
    guessing would give.
    """
    pairs = np.array([len(subject.things) == 2 for subject in chosen])
    labels = np.array([labels_of(subject) for subject in chosen])
    found = probe.guesses(eye, images)
    right = found == labels
    plain = np.array([subject.background in COLOURS for subject in chosen])
    flat = np.array([nearest_colour(image) == s.background for image, s in zip(images, chosen, strict=True)])
    uncoloured = labels[:, 2] < 0
    others = np.random.default_rng(0).permutation(len(chosen))
    parts = {
        "concept": right[~pairs, 0],
        "background": flat[plain],
        "scene": right[~plain & ~pairs, 1],
        "colour": right[~uncoloured & ~pairs, 2],
        "style": _in_style(images[~pairs], [s for s in chosen if len(s.things) == 1]),
        "look": right[~pairs, 3],
        "size": _outlined(images, chosen, "size", _has_size),
        "place": _outlined(images, chosen, "place", _is_at),
        "relation": _related(eye, images[pairs], [s for s in chosen if s.relation]),
        "all": (right[:, 0] & np.where(plain, flat, right[:, 1]) & (uncoloured | right[:, 2]))[~pairs],
        "shuffled": (found[:, 0] == labels[others, 0])[~pairs],
    }
    return {name: round(float(part.mean()), 4) for name, part in parts.items() if len(part)}


def _in_style(images: np.ndarray, chosen: list[Subject]) -> np.ndarray:
    """Of each single object, whether it is nearest to the artwork of the style asked for."""
    drawn = [nearest_style(image, s.things[0]) == s.style for image, s in zip(images, chosen, strict=True)]
    return np.array(drawn, bool)


def _related(eye: keras.Model, images: np.ndarray, chosen: list[Subject]) -> np.ndarray:
    """Of each pair, whether both objects are seen in their halves."""
    seen = np.ones(len(chosen), bool)
    for i, subject in enumerate(chosen):
        for thing, centre in zip(subject.things, CENTRES[subject.relation or ""], strict=True):
            found = probe.guesses_around(eye, images[i : i + 1], centre)[0, 0]
            seen[i] &= found == CONCEPTS.index(thing.concept)
    return seen


def _outlined(
    images: np.ndarray, chosen: list[Subject], what: str, verdict: Callable[[str, Outline], bool]
) -> np.ndarray:
    """The verdicts on the outlines of those that are asked to have a `size`, or a `place`."""
    asked = [(getattr(subject, what), image) for image, subject in zip(images, chosen, strict=True)]
    return np.array([verdict(wished, outline(image)) for wished, image in asked if wished], bool)


def _has_size(size: str, seen: Outline) -> bool:
    return seen.side < SMALL_BELOW if size == "small" else seen.side > BIG_ABOVE


def _is_at(place: str, seen: Outline) -> bool:
    down, right = AWAY[place]
    return down * (seen.y - SIDE / 2) + right * (seen.x - SIDE / 2) > ASIDE


def outline(image: np.ndarray) -> Outline:
    """Where the image differs from the median colour of its border, but for a 50th of it at each end."""
    away = np.abs(image.astype(int) - np.median(border(image), axis=0)).max(-1) > DIFFERENT
    rows, columns = np.nonzero(away)
    if not len(rows):
        return Outline(SIDE / 2, SIDE / 2, 0)
    (top, bottom), (left, right) = np.percentile(rows, (2, 98)), np.percentile(columns, (2, 98))
    return Outline((top + bottom) / 2, (left + right) / 2, max(bottom - top, right - left))


def nearest_colour(image: np.ndarray) -> str:
    """The plain background nearest to the median colour of the image's border."""
    median = np.median(border(image), axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(median - COLOURS[name]).sum()))


def border(image: np.ndarray) -> np.ndarray:
    """The pixels of the image's border, 3 pixels wide, uint8 (n, 3)."""
    edge = [image[:3].reshape(-1, 3), image[-3:].reshape(-1, 3)]
    sides = [image[:, :3].reshape(-1, 3), image[:, -3:].reshape(-1, 3)]
    return np.concatenate(edge + sides)
