"""Files that are kept for a while."""

import pytest

from gateway.shelf import Shelf


def test_a_file_is_there_under_its_name() -> None:
    shelf = Shelf()
    one, other = shelf.put(b"one", "image/png"), shelf.put(b"other", "image/webp")
    kept = shelf.get(one)
    assert kept is not None
    assert (kept.content, kept.media_type) == (b"one", "image/png")
    assert one != other
    assert shelf.get("nothing") is None


def test_a_file_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("gateway.shelf.time.monotonic", lambda: now)
    shelf = Shelf(seconds=60)
    name = shelf.put(b"one", "image/png")
    now = 59
    assert shelf.get(name)
    now = 61
    assert shelf.get(name) is None


def test_the_oldest_make_room_for_the_newest() -> None:
    shelf = Shelf(size=10)
    names = [shelf.put(bytes(4), "image/png") for _ in range(3)]
    assert [shelf.get(name) is not None for name in names] == [False, True, True]
