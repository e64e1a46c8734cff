"""Pictures of what the shipped model makes, for the README and for looking at."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from training.captions import Subject, plain_caption, with_article
from training.compose import compose
from training.concepts import COLOURS, CONCEPTS, SCENES
from training.evaluate import GUIDANCE, subjects
from training.export import shipped
from training.paths import ROOT, RUNS
from training.sampling import Painter
from triptych.samplers import Known

PROMPTS = (
    *("a cat on a blue background", "a red apple at night", "a purple octopus on a green background"),
    *("a dog in a meadow", "an elephant on a pink background", "a penguin in the snow", "a rocket at night"),
    *("a burger on a yellow background", "a green dragon on a white background", "a pizza on blue"),
    *("a palm tree on a beach", "a castle at sunset", "a blue heart on a white background", "a fox"),
    *("a robot on an orange background", "a sailboat by the sea", "a strawberry on a white background"),
    *("an owl at night", "a guitar on a red background", "a yellow balloon on a blue background"),
    *("I want a shark, please", "a pink house in a meadow", "a really cute puppy", "a unicorn"),
)
_ZOOM = 2
_LINE = 14


def write(guidance: float = GUIDANCE, steps: int = 25) -> None:
    """Write `samples.png` (held-out pairs, not chosen) beside this module, and more sheets to the runs."""
    painter = shipped()
    prompts = [plain_caption(subject) for subject in subjects(held=True, count=48, seed=11)]
    _paint(painter, prompts, guidance, steps).save(ROOT / "samples.png")
    _paint(painter, list(PROMPTS), guidance, steps).save(RUNS / "prompts.png")
    names = [with_article(concept.name) for concept in CONCEPTS]
    page = _paint(painter, names, guidance, steps, columns=14)
    page.quantize(256).save(ROOT / "concepts.png", optimize=True)
    _repaint(painter, guidance).save(ROOT / "inpainting.png")


def sheet(images: Sequence[np.ndarray], captions: Sequence[str], columns: int = 8) -> Image.Image:
    """The images at twice their size in rows, each above its caption."""
    side = images[0].shape[0] * _ZOOM
    rows = -(-len(images) // columns)
    page = Image.new("RGB", (columns * (side + 4), rows * (side + _LINE + 4)), "white")
    draw = ImageDraw.Draw(page)
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = i % columns * (side + 4), i // columns * (side + _LINE + 4)
        page.paste(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC), (left, top))
        draw.text((left, top + side), caption[: side // 6], fill="black")
    return page


def _paint(
    painter: Painter, prompts: list[str], guidance: float, steps: int, columns: int = 8
) -> Image.Image:
    return sheet(list(painter.paint(prompts, guidance, steps, seed=3)), prompts, columns)


def _repaint(painter: Painter, guidance: float) -> Image.Image:
    backgrounds = [*list(COLOURS)[:5], *list(SCENES)[:3]]
    before = [Subject(concept, b) for concept, b in zip(CONCEPTS[60:68], backgrounds, strict=True)]
    after = [Subject(concept, b) for concept, b in zip(CONCEPTS[::21], backgrounds, strict=True)]
    images = np.stack([compose(subject, random.Random(5)) for subject in before])
    keep = np.ones((1, 8, 8, 1), np.float32)
    keep[:, 1:7, 1:7] = 0
    prompts = [plain_caption(subject) for subject in after]
    made = painter.repaint(prompts, guidance, Known(painter.codec.encode(images), keep))
    masked = images.copy()
    masked[:, 8:56, 8:56] = 128
    captions = [plain_caption(subject) for subject in before] + ["repaint the gray part"] * 8 + prompts
    return sheet([*images, *masked, *made], captions)
