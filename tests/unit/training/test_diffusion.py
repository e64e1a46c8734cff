import numpy as np

from training.captions import Subject
from training.concepts import CONCEPTS
from training.diffusion import Captions, min_snr_weights
from training.vocabulary import compact, stored_tokens, used_tokens, whole_table
from triptych.models.kerascv import ALPHAS_CUMPROD
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


def test_one_caption_in_ten_is_emptied_and_some_get_unknown_words() -> None:
    captions = Captions([Subject(CONCEPTS[0], "blue")], np.random.default_rng(0))
    drawn = captions.draw(np.zeros(2000, int))
    assert drawn.shape == (2000, 77)
    assert 0.07 < (drawn == captions.empty).all(1).mean() < 0.13
    assert 0.1 < (drawn == captions.unknown).any(1).mean() < 0.4
    assert (drawn[:, 0] == captions.empty[0]).all()
    assert (drawn[:, -1] == captions.empty[1]).all()


def test_min_snr_weights_favour_noisy_steps_and_average_one() -> None:
    weights = min_snr_weights(np.array(ALPHAS_CUMPROD))
    assert abs(weights.mean() - 1) < 1e-5
    assert weights[0] < 0.1 < weights[-1]
    assert (np.diff(weights) >= -1e-6).all()
