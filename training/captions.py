"""What a picture shows, how it is said, and which pairs are kept for measuring."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from training.concepts import BACKGROUNDS, COLOURS, CONCEPTS, HUES, SCENES, Concept

HELD_OUT_PERCENT = 10
_CONSONANT_SOUND = ("unicorn", "ufo")
_UNCOUNTED = {
    *("grapes", "cherries", "fries", "popcorn", "bread", "corn", "broccoli"),
    *("cheese", "milk", "coffee", "beer"),
}
_PLAIN = (
    "{object} on {article} background",
    "{object}, {background} background",
    "{object} with {article} background",
    "{object} on {background}",
    "{object} in front of {article} wall",
)
_SENTENCES = (
    *("{}", "{}", "{}", "{}"),
    *("a picture of {}", "an emoji of {}", "there is {}", "I want {}", "draw {}"),
)


@dataclass(frozen=True)
class Subject:
    """What one picture shows; no concept means an empty background, no colour the object's own."""

    concept: Concept | None
    background: str
    colour: str | None = None


def held_out(concept: Concept, background: str) -> bool:
    """Whether this pair is never trained: one in ten, by a hash that no run changes."""
    digest = hashlib.sha256(f"{concept.name}|{background}".encode()).digest()
    return digest[0] * 256 + digest[1] < HELD_OUT_PERCENT * 65536 // 100


def pairs(held: bool) -> list[tuple[Concept, str]]:
    """All pairs of an object and a background that are held out, or all that are not."""
    return [(c, b) for c in CONCEPTS for b in BACKGROUNDS if held_out(c, b) == held]


def with_article(phrase: str) -> str:
    """The phrase with "a" or "an" before it."""
    vowel = phrase[0] in "aeiou" and not phrase.startswith(_CONSONANT_SOUND)
    return ("an " if vowel else "a ") + phrase


def plain_caption(subject: Subject) -> str:
    """The one plain wording that the measurements use."""
    if subject.concept is None:
        return _background_phrase(subject.background, 0)
    return _placed(_named(subject, subject.concept.name), subject.background, 0)


def varied_caption(subject: Subject, rng: random.Random) -> str:
    """One of many wordings, some of which leave the background out."""
    if subject.concept is None:
        return _background_phrase(subject.background, rng.randrange(4))
    words = subject.concept.words
    name = words[0] if rng.random() < 0.7 else rng.choice(words)
    phrase = _named(subject, name) if rng.random() < 0.75 else _coloured(subject, name)
    if rng.random() < 0.92:
        phrase = _placed(phrase, subject.background, rng.randrange(5))
    text = rng.choice(_SENTENCES).format(phrase)
    return text[0].upper() + text[1:] + "." if rng.random() < 0.1 else text


def wordings() -> list[str]:
    """Texts that together have all words that any caption has."""
    words = [word for concept in CONCEPTS for word in concept.words]
    backgrounds = [_placed("a", background, i) for background in BACKGROUNDS for i in range(5)]
    sentences = [sentence.format("an object.") for sentence in _SENTENCES]
    return [*words, *backgrounds, *sentences, "a, an.", *HUES]


def _coloured(subject: Subject, name: str) -> str:
    return f"{subject.colour} {name}" if subject.colour else name


def _named(subject: Subject, name: str) -> str:
    phrase = _coloured(subject, name)
    return phrase if name in _UNCOUNTED else with_article(phrase)


def _placed(phrase: str, background: str, wording: int) -> str:
    if background in COLOURS:
        return _PLAIN[wording % len(_PLAIN)].format(
            object=phrase, background=background, article=with_article(background)
        )
    wordings = SCENES[background]
    return f"{phrase} {wordings[wording % len(wordings)]}"


def _background_phrase(background: str, wording: int) -> str:
    if background in COLOURS:
        return with_article(f"{background} background")
    wordings = SCENES[background]
    return wordings[wording % len(wordings)]
