"""Pictures of what the shipped model makes, for the README and for looking at."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from PIL import Image, ImageDraw

from training.captions import plain_caption, with_article
from training.concepts import COLOURS, CONCEPTS, SCENES
from training.evaluate import GUIDANCE, STEPS, composed, subjects
from training.export import shipped
from training.paths import ROOT
from training.sampling import Painter
from training.subjects import Subject, Thing
from triptych.samplers import Known

PROMPTS = (
    *("a cat", "a red apple at night", "I'd like a happy dog at the beach please", "cartoon fox in the snow"),
    *("a rocket to the left of a planet", "flat icon of a pizza on a yellow background", "a tiny snail"),
    *("a huge blue whale under the sea", "an astronaut in the desert", "a teapot above a cupcake"),
    *("a purple octopus underwater", "a robot and a teddy bear on a pink background", "draw me a dragon"),
    *("a castle at sunset", "cute penguin, 3d style, white background", "a green car in a meadow"),
    *("a wizard under the stars", "a flat yellow umbrella icon on gray", "snowman in the snow", "some sushi"),
)
_LINE, _LETTER = 12, 6
"""Pixels of Pillow's own font."""


def write(guidance: float = GUIDANCE, steps: int = STEPS) -> None:
    """Write `samples.png` (held-out pairs, not chosen) beside this module, and more sheets to the runs."""
    painter = shipped()
    prompts = [plain_caption(subject) for subject in subjects(held=True, count=48, seed=11)]
    _paint(painter, prompts, guidance, steps).save(ROOT / "samples.png")
    _paint(painter, list(PROMPTS), guidance, steps, columns=5).save(ROOT / "prompts.png")
    names = [with_article(concept.name) for concept in CONCEPTS]
    page = _paint(painter, names, guidance, steps, columns=20)
    page.quantize(256).save(ROOT / "concepts.png", optimize=True)
    _repaint(painter, guidance).save(ROOT / "inpainting.png")


def sheet(images: Sequence[np.ndarray], captions: Sequence[str], columns: int = 8) -> Image.Image:
    """The images in rows, each above its caption."""
    side = images[0].shape[0]
    texts = [wrap(caption, side // _LETTER) for caption in captions]
    height = side + _LINE * max(map(len, texts)) + 4
    page = Image.new("RGB", (columns * (side + 4), -(-len(images) // columns) * height), "white")
    draw = ImageDraw.Draw(page)
    for i, (image, lines) in enumerate(zip(images, texts, strict=True)):
        left, top = i % columns * (side + 4), i // columns * height
        page.paste(Image.fromarray(image), (left, top))
        for number, line in enumerate(lines):
            draw.text((left, top + side + _LINE * number), line, fill="black")
    return page


def _paint(
    painter: Painter, prompts: list[str], guidance: float, steps: int, columns: int = 8
) -> Image.Image:
    return sheet(list(painter.paint(prompts, guidance, steps, seed=3)), prompts, columns)


def _repaint(painter: Painter, guidance: float) -> Image.Image:
    backgrounds = [*list(COLOURS)[:5], *list(SCENES)[:3]]
    before = [Subject((Thing(concept),), b) for concept, b in zip(CONCEPTS[60:68], backgrounds, strict=True)]
    after = [Subject((Thing(concept),), b) for concept, b in zip(CONCEPTS[:160:20], backgrounds, strict=True)]
    images = composed(before)
    keep = np.ones((1, 16, 16, 1), np.float32)
    keep[:, 1:15, 1:15] = 0
    prompts = [plain_caption(subject) for subject in after]
    made = painter.repaint(prompts, guidance, Known(painter.codec.encode(images), keep))
    masked = images.copy()
    masked[:, 8:120, 8:120] = 128
    captions = [plain_caption(subject) for subject in before] + ["repaint the gray part"] * 8 + prompts
    return sheet([*images, *masked, *made], captions)
