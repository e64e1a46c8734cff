import random

from training.captions import Subject, held_out, pairs, plain_caption, varied_caption, with_article, wordings
from training.concepts import BACKGROUNDS, COLOURS, CONCEPTS, NAMES, SCENES

APPLE = CONCEPTS[NAMES.index("apple")]


def test_there_are_enough_concepts_backgrounds_and_scenes() -> None:
    assert len(set(NAMES)) == len(CONCEPTS) >= 150
    assert len({word for concept in CONCEPTS for word in concept.words}) > len(CONCEPTS)
    assert (len(COLOURS), len(SCENES)) == (10, 5)


def test_one_pair_in_ten_is_held_out_and_always_the_same() -> None:
    held, trained = pairs(held=True), pairs(held=False)
    assert len(held) + len(trained) == len(CONCEPTS) * len(BACKGROUNDS)
    assert 0.08 < len(held) / (len(held) + len(trained)) < 0.12
    # Fixed by the hash: a change of it would make pairs that were trained count as new.
    assert [[b for b in BACKGROUNDS if held_out(concept, b)] for concept in CONCEPTS[:3]] == [
        ["night"],
        ["red", "green", "sunset"],
        ["blue", "white"],
    ]


def test_every_concept_and_background_is_seen_in_training() -> None:
    trained = pairs(held=False)
    assert {concept for concept, _ in trained} == set(CONCEPTS)
    assert {background for _, background in trained} == set(BACKGROUNDS)


def test_the_plain_caption_says_all_of_the_picture() -> None:
    assert plain_caption(Subject(APPLE, "blue")) == "an apple on a blue background"
    assert plain_caption(Subject(APPLE, "orange", "red")) == "a red apple on an orange background"
    assert plain_caption(Subject(APPLE, "night")) == "an apple at night"
    assert plain_caption(Subject(None, "meadow")) == "in a meadow"


def test_varied_captions_vary_and_always_name_the_object_and_its_colour() -> None:
    rng = random.Random(0)
    captions = {varied_caption(Subject(APPLE, "night", "green"), rng) for _ in range(300)}
    assert len(captions) > 30
    assert all("green apple" in caption.lower() for caption in captions)


def test_articles_follow_the_sound() -> None:
    assert [with_article(word) for word in ("owl", "unicorn", "ufo", "cat")] == [
        "an owl",
        "a unicorn",
        "a ufo",
        "a cat",
    ]


def test_wordings_have_every_word_of_any_caption() -> None:
    known = set(" ".join(wordings()).lower().replace(",", " ").replace(".", " ").split())
    rng = random.Random(1)
    for concept, background in rng.sample(pairs(held=False), 200):
        caption = varied_caption(Subject(concept, background, "pink"), rng)
        assert set(caption.lower().replace(",", " ").replace(".", " ").split()) <= known
