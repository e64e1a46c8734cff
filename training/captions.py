"""How a subject is said."""

from __future__ import annotations

import random

from training.concepts import (
    BACKGROUNDS,
    COLOURS,
    CONCEPTS,
    HUES,
    PLACES,
    RELATIONS,
    SCENES,
    SIZES,
    STYLES,
)
from training.subjects import PLAIN_STYLE, Subject, Thing

_CONSONANT_SOUND = ("unicorn", "ufo", "urn", "uniform")
_UNCOUNTED = frozenset(
    (
        *("grapes", "cherries", "fries", "popcorn", "bread", "corn", "broccoli", "cheese", "milk", "coffee"),
        *("beer", "paw prints", "paws", "autumn leaves", "green leaves", "blueberries", "peanuts", "beans"),
        *("peas", "pancakes", "bacon", "ginger", "garlic", "butter", "salt", "canned food", "rice", "sushi"),
        *("ramen", "noodles", "spaghetti", "pasta", "curry", "stew", "paella", "oden", "salad", "cereal"),
        *("fried shrimp", "shaved ice", "chocolate", "honey", "green tea", "matcha", "sake", "champagne"),
        *(
            "wine",
            "beer mugs",
            "champagne glasses",
            "whiskey",
            "whisky",
            "soda",
            "juice",
            "ice",
            "chopsticks",
        ),
        *("cutlery", "bricks", "firewood", "sunglasses", "glasses", "spectacles", "goggles", "jeans"),
        *("trousers", "gloves", "socks", "briefs", "swimming trunks", "shorts", "shopping bags", "skis"),
        *("ballet shoes", "prayer beads", "sheet music", "musical notes", "control knobs", "headphones"),
        *("maracas", "books", "scissors", "scales", "chains", "eyes", "lungs", "toilet paper", "soap"),
        *("bubbles", "fireworks", "sparkles", "lightning", "crossed swords", "dna", "flying money", "rain"),
        *("theater masks", "nesting dolls", "matryoshka", "ping pong", "badminton", "bowling", "basil"),
        *("wheat", "lavender", "yarn", "rope", "thread", "archery", "blood", "poop", "lips", "dynamite"),
    )
)
_UNCOUNTED_ENDS = tuple(f" {name}" for name in _UNCOUNTED)
_PLAIN = (
    "{object} on {article} background",
    "{object}, {background} background",
    "{object} with {article} background",
    "{object} on {background}",
    "{object} in front of {article} wall",
)
_SENTENCES = (
    *("{}",) * 10,
    *("a picture of {}", "an emoji of {}", "an image of {}", "a drawing of {}", "there is {}", "this is {}"),
    *("I want {}", "draw {}", "please draw {}", "show me {}", "I would like {} please", "I'd like {} please"),
    *("can you draw {}?", "make {}", "{} please", "paint {} for me"),
)
# Neighbours are also said to be just that.
_NEIGHBOURS = {"left": ("and", "next to"), "right": ("and", "beside")}
_BETWEEN = {name: (*words, *_NEIGHBOURS.get(name, ())) for name, words in RELATIONS.items()}
_FILLERS = (
    *("cute", "happy", "beautiful", "nice", "lovely", "funny", "friendly", "adorable", "pretty", "shiny"),
    *("really cute", "sweet", "very nice", "cool", "fancy", "good", "simple", "single"),
)


def with_article(phrase: str) -> str:
    """The phrase with "a" or "an" before it."""
    vowel = phrase[0] in "aeiou" and not phrase.startswith(_CONSONANT_SOUND)
    return ("an " if vowel else "a ") + phrase


def plain_caption(subject: Subject, say_style: bool = False) -> str:
    """The one plain wording that the measurements use."""
    if not subject.things:
        return _background_phrase(subject.background, 0)
    names = [_coloured(thing, thing.concept.name) for thing in subject.things]
    if subject.size:
        names[0] = f"{subject.size} {names[0]}"
    style = STYLES[subject.style][0] if say_style else None
    return _placed(_arranged(subject, names, 0, style), subject.background, 0)


def varied_caption(subject: Subject, rng: random.Random) -> str:
    """One of many wordings, some of which leave parts out."""
    if not subject.things or rng.random() < 0.03:
        return _sentence(_background_phrase(subject.background, rng.randrange(5)), rng)
    names = [_varied_name(thing, rng) for thing in subject.things]
    if subject.size:
        names[0] = f"{rng.choice(SIZES[subject.size])} {names[0]}"
    if rng.random() < 0.1:
        names[0] = f"{rng.choice(_FILLERS)} {names[0]}"
    said = rng.random() < (0.35 if subject.style == PLAIN_STYLE else 0.95)
    style = rng.choice(STYLES[subject.style]) if said else None
    phrase = _arranged(subject, names, rng.randrange(60), style, bare=rng.random() < 0.2)
    if rng.random() < 0.85:
        phrase = _placed(phrase, subject.background, rng.randrange(5))
    return _sentence(phrase, rng)


def full_caption(subject: Subject, rng: random.Random) -> str:
    """One of many wordings that says each thing, its colour and the background."""
    background = SCENES.get(subject.background, (subject.background,))
    needed = [[word.lower() for word in thing.concept.words] for thing in subject.things]
    needed += [[thing.colour] for thing in subject.things if thing.colour]
    while True:
        caption = varied_caption(subject, rng)
        if all(any(word in caption.lower() for word in words) for words in (*needed, background)):
            return caption


def wordings() -> list[str]:
    """Texts that together have all words that any caption has."""
    words = [word for concept in CONCEPTS for word in concept.words]
    backgrounds = [_placed("a", background, i) for background in BACKGROUNDS for i in range(5)]
    sentences = [sentence.format("an object.") for sentence in _SENTENCES]
    phrases = [
        text for part in (SIZES, PLACES, _BETWEEN, STYLES) for texts in part.values() for text in texts
    ]
    return [*words, *backgrounds, *sentences, *_FILLERS, *phrases, "a, an.", *HUES]


def _varied_name(thing: Thing, rng: random.Random) -> str:
    words = thing.concept.words
    name = words[0] if rng.random() < 0.7 else rng.choice(words)
    return _coloured(thing, name) if rng.random() < 0.93 else name


def _coloured(thing: Thing, name: str) -> str:
    return f"{thing.colour} {name}" if thing.colour else name


def _arranged(subject: Subject, names: list[str], wording: int, style: str | None, bare: bool = False) -> str:
    """The things, with what is between them or where they are, in the words of a style."""
    named = names if bare else [_with_article(name) for name in names]
    tail = ""
    if subject.relation:
        between = _BETWEEN[subject.relation]
        tail = f" {between[wording % len(between)]} {named[1]}"
    elif subject.place:
        tail = " " + PLACES[subject.place][wording % len(PLACES[subject.place])]
    if style is None:
        return named[0] + tail
    if "{a}" in style:
        return style.replace("{a}", named[0] + tail)
    return style.replace("{}", names[0]) + tail


def _with_article(phrase: str) -> str:
    return phrase if phrase in _UNCOUNTED or phrase.endswith(_UNCOUNTED_ENDS) else with_article(phrase)


def _sentence(phrase: str, rng: random.Random) -> str:
    text = rng.choice(_SENTENCES).format(phrase)
    if rng.random() < 0.1:
        text = text[0].upper() + text[1:]
        return text if text.endswith("?") else text + "."
    return text


def _placed(phrase: str, background: str, wording: int) -> str:
    if background in COLOURS:
        return _PLAIN[wording].format(object=phrase, background=background, article=with_article(background))
    return f"{phrase} {SCENES[background][wording]}"


def _background_phrase(background: str, wording: int) -> str:
    if background in COLOURS:
        return with_article(f"{background} background")
    return SCENES[background][wording]
