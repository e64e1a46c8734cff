"""How well pictures show their prompts, on pairs that were trained and on pairs that never were."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

import keras
import numpy as np

from training import probe
from training.captions import Subject, pairs, plain_caption
from training.compose import compose, random_subject
from training.concepts import COLOURS
from training.data import labels_of
from training.export import shipped
from training.paths import RUNS
from training.sampling import Painter
from triptych.variants import VARIANTS

COUNT = 300
GUIDANCE = VARIANTS["tiny"].guidance_scale
SCALES = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.5)
RESULTS = RUNS / "evaluation.json"
Scores = dict[str, float]


def subjects(held: bool, count: int = COUNT, seed: int = 4242) -> list[Subject]:
    """So many subjects of the held-out or of the trained pairs, each pair once before any comes again."""
    rng = random.Random(seed)
    among = pairs(held)
    rng.shuffle(among)
    return [random_subject(rng, [among[i % len(among)]], empty=0) for i in range(count)]


def measure(scales: Iterable[float] = SCALES, count: int = COUNT) -> dict[str, Scores]:
    """Measure the shipped file, and write the results to a JSON file after each part.

    The autoencoder; then prompts of held-out pairs at each guidance scale; then prompts of trained
    pairs at the variant's own.
    """
    painter, eye = shipped(), probe.trained()
    results = autoencoder_scores(painter, eye, subjects(True, count))
    for scale, held in [*((scale, True) for scale in scales), (GUIDANCE, False)]:
        chosen = subjects(held, count)
        images = painter.paint([plain_caption(subject) for subject in chosen], scale)
        name = f"guidance {scale:g}, {'held out' if held else 'seen'}"
        results[name] = scores(eye, images, chosen)
        print(name, results[name], flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1))
    return results


def autoencoder_scores(painter: Painter, eye: keras.Model, chosen: list[Subject]) -> dict[str, Scores]:
    """The probe on real pictures and on the autoencoder's, which also have their PSNR in dB."""
    rng = random.Random(7)
    real = np.stack([compose(subject, rng) for subject in chosen])
    rebuilt = painter.codec.decode(painter.codec.encode(real))
    error = ((real.astype(np.float64) - rebuilt) ** 2).mean((1, 2, 3))
    results = {"real": scores(eye, real, chosen), "autoencoder": scores(eye, rebuilt, chosen)}
    results["autoencoder"]["psnr"] = round(float((10 * np.log10(255**2 / error)).mean()), 2)
    print(results, flush=True)
    return results


def scores(eye: keras.Model, images: np.ndarray, chosen: list[Subject]) -> Scores:
    """Shares of pictures that show the concept, plain background, scene and object colour asked for.

    `all` is the share that shows all of it.
    `shuffled` compares concepts with those of other prompts: what guessing would give.
    """
    labels = np.array([labels_of(subject) for subject in chosen])
    guesses = probe.guesses(eye, images)
    right = guesses == labels
    plain = np.array([subject.background in COLOURS for subject in chosen])
    flat = np.array([nearest_colour(image) == s.background for image, s in zip(images, chosen, strict=True)])
    uncoloured = labels[:, 2] < 0
    others = np.random.default_rng(0).permutation(len(chosen))
    parts = {
        "concept": right[:, 0],
        "background": flat[plain],
        "scene": right[~plain, 1],
        "colour": right[~uncoloured, 2],
        "all": right[:, 0] & np.where(plain, flat, right[:, 1]) & (uncoloured | right[:, 2]),
        "shuffled": guesses[:, 0] == labels[others, 0],
    }
    return {name: round(float(part.mean()), 4) for name, part in parts.items() if len(part)}


def nearest_colour(image: np.ndarray) -> str:
    """The plain background nearest to the median colour of the image's border, 3 pixels wide."""
    edge = [image[:3].reshape(-1, 3), image[-3:].reshape(-1, 3)]
    sides = [image[:, :3].reshape(-1, 3), image[:, -3:].reshape(-1, 3)]
    median = np.median(np.concatenate(edge + sides), axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(median - COLOURS[name]).sum()))
