"""Keys as they are written down."""

import pytest

from gateway.keys.key import Limits, digest_of, line_of, new_token, read_keys

DEFAULTS = Limits(rate=60, concurrency=4, jobs=50)


def test_a_key_is_256_random_bits_and_its_line_does_not_hold_it() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    token = tokens.pop()
    assert token.startswith("triptych_") and len(token) >= len("triptych_") + 43
    assert token.removeprefix("triptych_") not in line_of("ann", token)


def test_a_line_is_read_as_it_was_written() -> None:
    (key,) = read_keys(line_of("ann", "secret", rate=3, concurrency=None, jobs=7), "X", DEFAULTS)
    assert (key.name, key.digest) == ("ann", digest_of("secret"))
    assert key.limits == Limits(rate=3, concurrency=4, jobs=7)


def test_lines_end_with_a_semicolon_as_well_and_comments_are_none() -> None:
    one, two = line_of("ann", "1"), line_of("bob", "2")
    text = f"# who may\n\n{one}; {two} # for a while\n{one}\n"
    assert [key.name for key in read_keys(text, "X", DEFAULTS)] == ["ann", "bob", "ann"]


@pytest.mark.parametrize(
    "line",
    [
        "ann",
        "ann triptych_put-here-by-mistake",
        f"../ann sha256:{'0' * 64}",
        f"{'a' * 33} sha256:{'0' * 64}",
        f"ann sha256:{'0' * 63}",
        f"ann sha256:{'0' * 64} rate=0",
        f"ann sha256:{'0' * 64} speed=1",
    ],
)
def test_what_is_no_line_is_refused_without_repeating_it(line: str) -> None:
    with pytest.raises(ValueError, match="X, line 2 must be NAME sha256:") as refused:
        list(read_keys(f"\n{line}", "X", DEFAULTS))
    assert "by-mistake" not in str(refused.value)
