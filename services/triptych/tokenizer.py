"""CLIP's byte-pair tokens, from the vocabulary that is shipped beside this module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .models.kerascv import SimpleTokenizer
from .wire import InvalidField

MAX_TOKENS = 77
# Most prompts are far shorter; a bound on the characters bounds the time of the tokenising.
MAX_CHARACTERS = 4000
VOCABULARY = Path(__file__).parent / "assets" / "clip_vocabulary.txt.gz"


def encode(text: str, field: str = "inputs") -> npt.NDArray[np.int32]:
    """The text's tokens, int32 (77,): start, the words, end, then more ends up to 77 (as in keras-cv).

    Raises InvalidField for the named field if there are more than 77, start and end included.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidField(field, f"at most {MAX_CHARACTERS} characters", f"{len(text)}: shorten the prompt")
    tokenizer = _tokenizer()
    tokens = tokenizer.encode(text)
    if len(tokens) > MAX_TOKENS:
        must = f"at most {MAX_TOKENS} tokens, start and end included"
        raise InvalidField(field, must, f"{len(tokens)}: shorten the prompt")
    padded = np.full(MAX_TOKENS, tokenizer.end_of_text, np.int32)
    padded[: len(tokens)] = tokens
    return padded


@cache
def _tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer(str(VOCABULARY))
