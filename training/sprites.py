"""The artwork: fetched from its npm packages, drawn at one size, and turned to other colours."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.concepts import CONCEPTS, HUES, STYLES, Concept
from training.paths import DATA

PACKAGES = (
    "@lobehub/fluent-emoji-3d@1.1.0",
    "@iconify-json/fluent-emoji-flat@1.2.6",
    "@iconify-json/noto@1.2.9",
)
FOLDER = DATA / "sprites"
SIDE = 128
RECOLOURABLE_SHARE = 0.5
_MODULES = DATA / "node_modules"
_ATLAS, _INDEX = DATA / "atlas.npy", DATA / "atlas.json"
_ICONS = {"flat icon": "fluent-emoji-flat", "cartoon": "noto"}
_HUE_REACH = 40.0
_OWN_COLOUR_MATTERS = {
    *("tangerine", "sun", "fire", "moon", "earth", "pumpkin", "carrot", "rainbow", "corn", "mountain"),
    *("volcano", "ladybug", "cupcake", "soccer ball", "peacock", "avocado", "parrot", "fire truck", "taxi"),
    *("green apple", "green tea", "red envelope", "red flag", "gold medal", "bronze medal", "green book"),
    *("blue book", "orange book", "blue whale", "blueberries", "stop sign", "blood", "drop of blood"),
    *("fried egg", "rainbow flag", "glowing star", "christmas tree", "santa claus", "cherry blossom"),
    *("green leaves", "autumn leaves", "cactus desert", "sun behind a cloud", "hot face", "cold face"),
}


def prepare() -> None:
    """Fetch the artwork and draw every object in every style, unless that is done."""
    if (FOLDER / "done").is_file():
        return
    _fetch(DATA)
    for style in STYLES:
        _file(CONCEPTS[0], style).parent.mkdir(parents=True, exist_ok=True)
        for concept in CONCEPTS:
            _drawn(concept, style).save(_file(concept, style), quality=95, exact=True)
    (FOLDER / "done").touch()


def _fetch(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError(f"npm is needed to fetch {', '.join(PACKAGES)}: install Node.js")
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--prefix", str(folder), "--ignore-scripts", "--no-save", "--no-audit"]
    subprocess.run([npm, "install", *options, *PACKAGES], check=True)


def _file(concept: Concept, style: str) -> Path:
    return FOLDER / style.replace(" ", "-") / f"{concept.code}.webp"


def _drawn(concept: Concept, style: str) -> Image.Image:
    """The object in its package's artwork, RGBA 128×128."""
    if style in _ICONS:
        return _rendered(concept.code, _ICONS[style])
    folder = _MODULES / "@lobehub" / "fluent-emoji-3d" / "assets"
    names = _spellings(concept.code)
    path = next(path for name in names if (path := folder / f"{name}.webp").is_file())
    with Image.open(path) as file:
        return file.convert("RGBA").resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _rendered(code: str, collection: str) -> Image.Image:
    import resvg_py

    icons, names = _collection(collection)
    name = next(names[spelling] for spelling in _spellings(code) if spelling in names)
    name = icons.get("aliases", {}).get(name, {}).get("parent", name)
    icon = icons["icons"][name]
    width, height = (icon.get(side, icons[side]) for side in ("width", "height"))
    box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{icon["body"]}</svg>'
    drawn = resvg_py.svg_to_bytes(svg_string=svg, width=SIDE * 2, height=SIDE * 2, skip_system_fonts=True)
    image = Image.open(io.BytesIO(bytes(drawn))).convert("RGBA")
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


@cache
def _collection(name: str) -> tuple[dict[str, Any], dict[str, str]]:
    folder = _MODULES / "@iconify-json" / name
    return json.loads((folder / "icons.json").read_text()), json.loads((folder / "chars.json").read_text())


def _spellings(code: str) -> list[str]:
    """The code point's sequence with and without variation selectors, as packages differ in that."""
    parts = code.split("-")
    places = range(len(parts) + 1)
    with_selector = ["-".join([*parts[:i], "fe0f", *parts[i:]]) for i in places if i]
    return [code, *with_selector, "-".join(f"{part}-fe0f" for part in parts)]


def sprite(concept: Concept, style: str) -> Image.Image:
    """The object's picture, RGBA 128×128."""
    with Image.open(_file(concept, style)) as file:
        return file.convert("RGBA")


@cache
def atlas() -> tuple[np.ndarray, dict[tuple[str, str, str | None], int]]:
    """All sprites, uint8 (n, 128, 128, 4) with the colours multiplied by alpha, and where each is.

    Row 0 shows nothing. An object is there in other colours where it can be recoloured. Made once.
    """
    if not _INDEX.is_file():
        _make_atlas()
    index = {(name, style, colour): row for name, style, colour, row in json.loads(_INDEX.read_text())}
    return np.load(_ATLAS, mmap_mode="r"), index


@cache
def recolourable() -> frozenset[str]:
    """Names of the objects with one dominant hue in every style, whose own colour is not their point."""
    _, index = atlas()
    return frozenset(name for name, _, colour in index if colour)


def _make_atlas() -> None:
    with ProcessPoolExecutor() as pool:
        made = list(pool.map(_rows, CONCEPTS, chunksize=8))
    keys = [key for rows in made for key, _ in rows]
    table = np.lib.format.open_memmap(_ATLAS, "w+", np.uint8, (1 + len(keys), SIDE, SIDE, 4))
    for row, pixels in enumerate((pixels for rows in made for _, pixels in rows), start=1):
        table[row] = pixels
    table.flush()
    partial = _INDEX.with_suffix(".partial")
    partial.write_text(json.dumps([[*key, row] for row, key in enumerate(keys, start=1)]))
    os.replace(partial, _INDEX)


def _rows(concept: Concept) -> list[tuple[tuple[str, str, str | None], np.ndarray]]:
    plain = {style: sprite(concept, style) for style in STYLES}
    share = min(dominant_hue(image)[1] for image in plain.values())
    turned = share > RECOLOURABLE_SHARE and concept.name not in _OWN_COLOUR_MATTERS
    rows = []
    for style, image in plain.items():
        images = {None: image} | (recoloured(image) if turned else {})
        rows += [((concept.name, style, colour), _premultiplied(made)) for colour, made in images.items()]
    return rows


def _premultiplied(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image).astype(np.uint16)
    alpha = pixels[..., 3:]
    return np.concatenate([(pixels[..., :3] * alpha + 127) // 255, alpha], axis=-1).astype(np.uint8)


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


def recoloured(image: Image.Image) -> dict[str, Image.Image]:
    """The RGBA image in every colour: the pixels near its dominant hue are moved to that of the colour."""
    peak, _ = dominant_hue(image)
    hue, coloured, _ = _hues(image)
    distance = _turn(hue - peak)
    moved = coloured & (np.abs(distance) < _HUE_REACH)
    hsv = np.asarray(image.convert("RGB").convert("HSV")).copy()
    made = {}
    for colour, target in HUES.items():
        hsv[..., 0] = (np.where(moved, (target + distance / 2) % 360, hue) * 256 / 360).astype(np.uint8)
        result = Image.fromarray(hsv, "HSV").convert("RGB")
        result.putalpha(image.getchannel("A"))
        made[colour] = result
    return made


def _hues(image: Image.Image) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    hsv = np.asarray(image.convert("RGB").convert("HSV")).astype(np.float32)
    visible = np.asarray(image.getchannel("A")) > 60
    coloured = visible & (hsv[..., 1] > 60) & (hsv[..., 2] > 40)
    return hsv[..., 0] * 360 / 256, coloured, visible


def _turn(degrees: np.ndarray) -> np.ndarray:
    return (degrees + 180) % 360 - 180
