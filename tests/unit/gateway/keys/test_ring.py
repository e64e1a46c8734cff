"""Which keys count, and how they come."""

import base64
import logging
import os
from pathlib import Path

import pytest

from gateway.keys.key import line_of
from gateway.keys.ring import KeyRing, token_of
from gateway.settings import Settings


def ring_of(file: Path) -> KeyRing:
    return KeyRing(Settings.model_validate({"gateway_keys_file": str(file)}))


def names(ring: KeyRing, *tokens: str) -> list[str | None]:
    found = [ring.find(token) for token in tokens]
    return [key.name if key else None for key in found]


def write(file: Path, *lines: str) -> None:
    """As an editor does: another file in the place of the old one."""
    new = file.with_suffix(".new")
    new.write_text("\n".join(lines))
    os.replace(new, file)


def test_a_key_is_found_by_itself_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    write(file, line_of("ann", "first"), line_of("bob", "second"), line_of("ann", "third"))
    assert names(ring_of(file), "first", "second", "third", "fourth", "ann", "") == [
        *("ann", "bob", "ann"),
        *(None, None, None),
    ]


def test_a_key_that_is_removed_counts_no_more_and_a_new_one_does(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    write(file, line_of("ann", "first"))
    ring = ring_of(file)
    write(file, line_of("bob", "second"))
    assert names(ring, "first", "second") == [None, "bob"]
    write(file)
    assert names(ring, "first", "second") == [None, None]


@pytest.mark.parametrize("spoilt", ["ann first", None])
def test_a_file_that_cannot_be_read_leaves_the_keys_as_they_were(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoilt: str | None
) -> None:
    file = tmp_path / "keys"
    write(file, line_of("ann", "first"))
    ring = ring_of(file)
    if spoilt:
        write(file, spoilt)
    else:
        file.unlink()
    with caplog.at_level(logging.ERROR):
        assert names(ring, "first", "first") == ["ann", "ann"]
    (said,) = caplog.messages
    assert said.startswith("The keys stay as they were: GATEWAY_KEYS_FILE")
    assert "first" not in said


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        (f"Basic {base64.b64encode(b'user:abc').decode()}", "abc"),
        (f"Basic {base64.b64encode(b':a:b').decode()}", "a:b"),
        (f"Basic {base64.b64encode(b'abc').decode()}", None),
        ("Basic !", None),
        ("Basic /w==", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("abc", None),
        ("", None),
    ],
)
def test_it_is_sent_as_a_bearer_token_or_a_password(header: str, token: str | None) -> None:
    assert token_of(header) == token
