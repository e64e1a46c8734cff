"""The artwork: fetched from its npm package, loaded, and turned to other colours."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from training.concepts import CONCEPTS, HUES, NAMES, Concept
from training.paths import DATA

PACKAGE = "@lobehub/fluent-emoji-3d@1.1.0"
FOLDER = DATA / "node_modules" / "@lobehub" / "fluent-emoji-3d" / "assets"
RECOLOURABLE_SHARE = 0.5
_HUE_REACH = 40.0
_OWN_COLOUR_MATTERS = {
    *("tangerine", "sun", "fire", "moon", "earth", "pumpkin", "carrot", "rainbow", "corn", "mountain"),
    *("volcano", "ladybug", "cupcake", "soccer ball", "peacock", "avocado", "parrot", "fire truck", "taxi"),
}


def fetch(folder: Path = DATA) -> None:
    """Install the artwork's npm package under the folder, if it is not there yet."""
    if all((FOLDER / f"{concept.code}.webp").is_file() for concept in CONCEPTS):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError(
            f"npm is needed to fetch {PACKAGE}: install Node.js, or unpack the package to {FOLDER.parent}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--prefix", str(folder), "--ignore-scripts", "--no-save", "--no-audit"]
    subprocess.run([npm, "install", *options, PACKAGE], check=True)


@cache
def sprite(concept: Concept, colour: str | None = None) -> Image.Image:
    """The concept's picture, RGBA 128×128, with its dominant hue turned to the colour's if given."""
    with Image.open(FOLDER / f"{concept.code}.webp") as file:
        image = file.convert("RGBA").resize((128, 128), Image.Resampling.LANCZOS)
    return image if colour is None else recoloured(image, HUES[colour])


@cache
def recolourable() -> frozenset[str]:
    """Names of the concepts with one dominant hue, whose own colour is not their point."""
    names = {c.name for c in CONCEPTS if dominant_hue(sprite(c))[1] > RECOLOURABLE_SHARE}
    return frozenset(names - _OWN_COLOUR_MATTERS) & frozenset(NAMES)


def dominant_hue(image: Image.Image) -> tuple[float, float]:
    """The hue in degrees that most coloured pixels are near, and their share of the visible ones."""
    hue, coloured, visible = _hues(image)
    if coloured.sum() < 50:
        return 0.0, 0.0
    counts = np.bincount((hue[coloured] // 10).astype(int), minlength=36)
    near = sum((3 - abs(shift)) * np.roll(counts, shift) for shift in (-2, -1, 0, 1, 2))
    peak = float(np.argmax(near)) * 10 + 5
    share = (np.abs(_turn(hue - peak)) < _HUE_REACH) & coloured
    return peak, float(share.sum() / max(1, visible.sum()))


def recoloured(image: Image.Image, target: float) -> Image.Image:
    """The RGBA image with the pixels near its dominant hue moved to the target hue, in degrees."""
    peak, _ = dominant_hue(image)
    hue, coloured, _ = _hues(image)
    distance = _turn(hue - peak)
    moved = np.where(coloured & (np.abs(distance) < _HUE_REACH), (target + distance / 2) % 360, hue)
    hsv = np.asarray(image.convert("RGB").convert("HSV")).copy()
    hsv[..., 0] = (moved * 256 / 360).astype(np.uint8)
    result = Image.fromarray(hsv, "HSV").convert("RGB")
    result.putalpha(image.getchannel("A"))
    return result


def _hues(image: Image.Image) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    hsv = np.asarray(image.convert("RGB").convert("HSV")).astype(np.float32)
    visible = np.asarray(image.getchannel("A")) > 60
    coloured = visible & (hsv[..., 1] > 60) & (hsv[..., 2] > 40)
    return hsv[..., 0] * 360 / 256, coloured, visible


def _turn(degrees: np.ndarray) -> np.ndarray:
    return (degrees + 180) % 360 - 180
