import random

from training.captions import full_caption, plain_caption, varied_caption, with_article, wordings
from training.concepts import CONCEPTS, NAMES
from training.subjects import Subject, Thing, random_subject

APPLE, CAT = (CONCEPTS[NAMES.index(name)] for name in ("apple", "cat"))


def test_the_plain_caption_says_all_of_the_picture() -> None:
    apple, red = Thing(APPLE), Thing(APPLE, "red")
    assert plain_caption(Subject((apple,), "blue")) == "an apple on a blue background"
    assert plain_caption(Subject((red,), "orange")) == "a red apple on an orange background"
    assert plain_caption(Subject((apple,), "night")) == "an apple at night"
    assert plain_caption(Subject((), "meadow")) == "in a meadow"
    assert plain_caption(Subject((apple,), "snow", size="big")) == "a big apple in the snow"
    assert (
        plain_caption(Subject((apple,), "white", place="left"))
        == "an apple on the left on a white background"
    )
    pair = Subject((red, Thing(CAT)), "beach", relation="above")
    assert plain_caption(pair) == "a red apple above a cat on a beach"


def test_the_style_is_said_where_it_is_asked_for() -> None:
    subject = Subject((Thing(APPLE),), "blue", "flat icon")
    assert plain_caption(subject, say_style=True) == "a flat icon of an apple on a blue background"
    assert plain_caption(subject) == "an apple on a blue background"


def test_varied_captions_vary() -> None:
    rng = random.Random(0)
    subject = Subject((Thing(APPLE, "green"), Thing(CAT)), "night", "cartoon", relation="left")
    captions = [varied_caption(subject, rng) for _ in range(300)]
    assert len(set(captions)) > 200
    assert sum("green apple" in caption.lower() for caption in captions) > 200
    assert sum("cartoon" in caption.lower() for caption in captions) > 200


def test_a_full_caption_leaves_nothing_out_in_any_wording() -> None:
    rng = random.Random(0)
    captions = {full_caption(Subject((Thing(APPLE, "green"),), "beach"), rng).lower() for _ in range(200)}
    assert len(captions) > 50
    assert all("green" in caption and "apple" in caption for caption in captions)
    assert all(any(word in caption for word in ("beach", "sea", "sand")) for caption in captions)


def test_no_caption_is_left_with_a_gap_to_fill() -> None:
    rng = random.Random(1)
    captions = [varied_caption(random_subject(rng, frozenset(NAMES)), rng) for _ in range(3000)]
    assert not [caption for caption in captions if "{" in caption or "  " in caption or "None" in caption]


def test_articles_follow_the_sound_and_things_that_are_not_counted_have_none() -> None:
    phrases = [with_article(word) for word in ("owl", "unicorn", "ufo", "cat")]
    assert phrases == ["an owl", "a unicorn", "a ufo", "a cat"]
    sushi = CONCEPTS[NAMES.index("sushi")]
    assert plain_caption(Subject((Thing(sushi, "red"),), "desert")) == "red sushi in the desert"


def test_wordings_have_every_word_of_any_caption() -> None:
    def words(text: str) -> set[str]:
        for mark in ",.?{}":
            text = text.replace(mark, " ")
        return set(text.lower().split())

    known = words(" ".join(wordings()))
    rng = random.Random(1)
    for _ in range(1000):
        assert words(varied_caption(random_subject(rng, frozenset(NAMES)), rng)) <= known
