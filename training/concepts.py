"""What the built-in model knows: objects, styles, plain backgrounds, scenes, colours, sizes and places."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Plain backgrounds: sRGB, 0 to 255.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 60, 55),
    "orange": (245, 150, 60),
    "yellow": (250, 215, 80),
    "green": (95, 180, 90),
    "blue": (80, 140, 230),
    "purple": (150, 95, 205),
    "pink": (250, 170, 200),
    "black": (25, 25, 30),
    "white": (250, 250, 250),
    "gray": (150, 150, 155),
}

# Objects are recoloured by turning their dominant hue to this one, in degrees.
HUES: dict[str, float] = {
    "red": 0,
    "orange": 28,
    "yellow": 50,
    "green": 120,
    "blue": 218,
    "purple": 275,
    "pink": 325,
}

SCENES: dict[str, tuple[str, ...]] = {
    "meadow": ("in a meadow", "on a green meadow", "in the meadow", "on the grass", "in a field"),
    "beach": ("on a beach", "at the beach", "on the beach", "by the sea", "on the sand"),
    "night": ("at night", "under a night sky", "in the night sky", "under the stars", "in the dark"),
    "snow": ("in the snow", "on a snowy day", "in snow", "in winter", "on the snow"),
    "underwater": ("underwater", "under water", "under the sea", "in the ocean", "in the sea"),
    "desert": ("in the desert", "in a desert", "on a sand dune", "among the dunes", "in the dunes"),
    "sunset": ("at sunset", "under a sunset sky", "in the sunset", "at dusk", "in the evening"),
}

BACKGROUNDS: tuple[str, ...] = (*COLOURS, *SCENES)

# Each with its wordings, of which the measurements use the first. A prompt that names none means "3d".
STYLES: dict[str, tuple[str, ...]] = {
    "3d": ("a 3d {}", "a 3d render of {a}", "{a} in 3d", "{a}, 3d style"),
    "flat icon": ("a flat icon of {a}", "a flat {} icon", "{a}, flat icon", "{a}, flat design", "a flat {}"),
    "cartoon": ("a cartoon {}", "a cartoon of {a}", "{a}, cartoon", "{a} in cartoon style"),
}

SIZES: dict[str, tuple[str, ...]] = {
    "small": ("small", "tiny", "little"),
    "big": ("big", "large", "huge"),
}

PLACES: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "on the left side", "at the left"),
    "right": ("on the right", "on the right side", "at the right"),
    "top": ("at the top", "in the upper part", "on top"),
    "bottom": ("at the bottom", "in the lower part", "down below"),
}

# Where the first of two objects is, seen from the second.
RELATIONS: dict[str, tuple[str, ...]] = {
    "left": ("to the left of", "left of", "on the left of"),
    "right": ("to the right of", "right of", "on the right of"),
    "above": ("above", "over", "on top of"),
    "below": ("below", "under", "beneath"),
}


@dataclass(frozen=True)
class Concept:
    """An object: its picture's code point in hexadecimal, and the words for it, best first."""

    code: str
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.words[0]


def _parse(line: str) -> Concept:
    code, words = line.split(" ", 1)
    return Concept(code, tuple(word.strip() for word in words.split(",")))


CONCEPTS: tuple[Concept, ...] = tuple(
    _parse(line) for line in (Path(__file__).parent / "objects.txt").read_text().splitlines()
)
"""One a line in `objects.txt`: the code point, the name, then other words for it."""
NAMES: tuple[str, ...] = tuple(concept.name for concept in CONCEPTS)
