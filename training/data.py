"""The training pictures, drawn once and kept in the data folder with what they show."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass

import numpy as np
from rich.progress import track

from training.captions import Subject
from training.compose import SIZE, example
from training.concepts import BACKGROUNDS, CONCEPTS, HUES
from training.paths import DATA
from training.sprites import fetch

COUNT = 36_000
_IMAGES = DATA / "images.npy"
_LABELS = DATA / "labels.json"


@dataclass(frozen=True)
class Pictures:
    """Images uint8 (n, 64, 64, 3), their subjects, and their labels int32 (n, 3): see `labels_of`."""

    images: np.ndarray
    subjects: list[Subject]
    labels: np.ndarray


def prepare(count: int = COUNT, seed: int = 1) -> None:
    """Fetch the artwork and draw the pictures, unless they are there."""
    fetch()
    if _LABELS.is_file():
        return
    rng = random.Random(seed)
    images = np.empty((count, SIZE, SIZE, 3), np.uint8)
    subjects = []
    for i in track(range(count), "Drawing pictures"):
        drawn = example(rng)
        images[i] = drawn.image
        subjects.append(drawn.subject)
    DATA.mkdir(parents=True, exist_ok=True)
    partial = _IMAGES.with_suffix(".partial.npy")
    np.save(partial, images)
    os.replace(partial, _IMAGES)
    partial = _LABELS.with_suffix(".partial")
    partial.write_text(json.dumps([labels_of(subject) for subject in subjects]))
    os.replace(partial, _LABELS)


def load() -> Pictures:
    """The pictures that `prepare` drew."""
    labels = np.array(json.loads(_LABELS.read_text()), np.int32)
    return Pictures(np.load(_IMAGES, mmap_mode="r"), [subject_of(row) for row in labels.tolist()], labels)


def labels_of(subject: Subject) -> list[int]:
    """Indices of the concept, the background and the colour; -1 where there is none."""
    concept = CONCEPTS.index(subject.concept) if subject.concept else -1
    colour = list(HUES).index(subject.colour) if subject.colour else -1
    return [concept, BACKGROUNDS.index(subject.background), colour]


def subject_of(labels: list[int]) -> Subject:
    """The reverse of `labels_of`."""
    concept, background, colour = labels
    return Subject(
        CONCEPTS[concept] if concept >= 0 else None,
        BACKGROUNDS[background],
        list(HUES)[colour] if colour >= 0 else None,
    )
