"""CLIP's byte-pair tokens, from the vocabulary that is shipped beside this module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .models.kerascv import SimpleTokenizer
from .wire import InvalidField

MAX_TOKENS = 77
END_OF_TEXT = 49407
# keras-cv's tokenizer remembers every word it has seen, for as long as it lives.
MAX_REMEMBERED = 50_000
VOCABULARY = Path(__file__).parent / "assets" / "clip_vocabulary.txt.gz"


def encode(text: str, field: str = "inputs", padding: int = END_OF_TEXT) -> npt.NDArray[np.int32]:
    """The text's tokens, int32 (77,): start, the words, end, then `padding` up to 77 (keras-cv: more ends).

    Raises InvalidField for the named field if there are more than 77, start and end included.
    """
    tokenizer = _tokenizer()
    tokens = tokenizer.encode(text)
    if len(tokenizer.cache) > MAX_REMEMBERED:
        tokenizer.cache = dict(tokenizer.special_tokens)
    if len(tokens) > MAX_TOKENS:
        must = f"at most {MAX_TOKENS} tokens, start and end included"
        raise InvalidField(field, must, f"{len(tokens)}: shorten the prompt")
    padded = np.full(MAX_TOKENS, padding, np.int32)
    padded[: len(tokens)] = tokens
    return padded


@cache
def _tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer(str(VOCABULARY))
