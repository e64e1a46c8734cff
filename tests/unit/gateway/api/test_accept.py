"""Which answer an `Accept` header gets."""

import pytest

from gateway.api.accept import choose

JSON, PNG, WEBP, JPEG = "application/json", "image/png", "image/webp", "image/jpeg"
OFFERS = (JSON, PNG, WEBP, JPEG)


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("image/png", PNG),
        ("Image/WebP", WEBP),
        ("image/jpeg; q=0.5", JPEG),
        ("image/*", PNG),
        ("image/*, */*", PNG),
        ("image/png, */*;q=0.8", PNG),
        ("image/png;q=0.5, application/json", JSON),
        ("image/png;q=0.5, application/json;q=0.4", PNG),
        ("image/*, image/png;q=0", WEBP),
        ("*/*, application/json;q=0", PNG),
        ("application/json, text/plain, */*", JSON),
        ("text/html,application/xhtml+xml,image/avif,image/webp,*/*;q=0.8", WEBP),
        ("text/html", None),
        ("image/png;q=0", None),
        ("image/png;q=often", None),
        ("nonsense", None),
        (",,", JSON),
    ],
)
def test_the_answer_is_what_the_header_likes_best(accept: str, answer: str | None) -> None:
    assert choose(accept, OFFERS) == answer
