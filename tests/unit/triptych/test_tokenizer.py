import gzip

import numpy as np
import pytest

from triptych import tokenizer
from triptych.tokenizer import VOCABULARY, encode
from triptych.wire import InvalidField

START, END = 49406, 49407


def test_a_prompt_becomes_77_tokens_padded_with_the_end() -> None:
    tokens = encode("a red apple")
    assert tokens.shape == (77,)
    assert tokens.dtype == np.int32
    # CLIP's own tokens for these words.
    assert tokens[:5].tolist() == [START, 320, 736, 3055, END]
    assert set(tokens[5:].tolist()) == {END}


def test_the_empty_prompt_is_a_start_and_ends() -> None:
    assert encode("").tolist() == [START] + [END] * 76


def test_case_and_white_space_do_not_matter() -> None:
    assert (encode("  A  RED\nApple ") == encode("a red apple")).all()


def test_any_text_can_be_encoded() -> None:
    assert encode("Ünïcödé 🦊 ¿qué? \x00").shape == (77,)


def test_75_words_fit_and_76_are_refused_with_their_number() -> None:
    assert encode("cat " * 75)[75] != END
    with pytest.raises(InvalidField, match=r"negative_prompt must be at most 77 tokens.*got 78"):
        encode("cat " * 76, "negative_prompt")


def test_words_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "MAX_REMEMBERED", 100)
    before = encode("a red apple")
    for number in range(40):
        encode(f"word{number} other{number} third{number}")
    assert len(tokenizer._tokenizer().cache) <= 110
    assert (encode("a red apple") == before).all()


def test_the_shipped_vocabulary_has_the_lines_that_clip_reads() -> None:
    lines = gzip.decompress(VOCABULARY.read_bytes()).decode().splitlines()
    assert len(lines) == 48_895
    assert lines[1] == "i n"
    assert lines[-1] == "jeky ll</w>"
