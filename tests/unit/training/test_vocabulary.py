import random

import numpy as np

from training.stream import caption_tokens
from training.vocabulary import compact, stored_tokens, used_tokens, whole_table
from triptych.tokenizer import encode


def test_compact_tokens_lead_back_to_clips() -> None:
    tokens = encode("a red apple")
    assert (used_tokens()[compact(tokens)] == tokens).all()


def test_words_that_no_caption_has_share_one_row() -> None:
    unknown = len(used_tokens())
    assert compact(encode("zeitgeist"))[1] == unknown
    table = np.arange((unknown + 1) * 2, dtype=np.float32).reshape(-1, 2)
    whole = whole_table(table, 49408)
    assert (whole[encode("apple")[1]] == table[compact(encode("apple"))[1]]).all()
    assert (whole[encode("zeitgeist")[1]] == table[-1]).all()


def test_plurals_and_other_spellings_share_the_row_of_the_word_they_mean() -> None:
    table = np.arange((len(used_tokens()) + 1) * 2, dtype=np.float32).reshape(-1, 2)
    whole = whole_table(table, 49408)
    for alias, word in (("cats", "cat"), ("roses", "rose"), ("grey", "gray")):
        assert (whole[encode(alias)[1]] == whole[encode(word)[1]]).all()
        assert encode(alias)[1] in stored_tokens()


def test_some_captions_get_words_that_the_model_does_not_know() -> None:
    rng = random.Random(0)
    plain, unknown = compact(encode("a red apple")), len(used_tokens())
    drawn = [caption_tokens("a red apple", rng) for _ in range(1000)]
    assert {len(tokens) for tokens in drawn} == {77}
    assert 0.08 < sum(unknown in tokens for tokens in drawn) / 1000 < 0.16
    assert all([t for t in tokens[:8] if t != unknown][:5] == plain[:5].tolist() for tokens in drawn)
