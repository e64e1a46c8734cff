"""What is known of a replica's load without asking."""

import pytest

from gateway.load import Load


def test_it_is_what_the_gateway_has_under_way_there() -> None:
    load = Load()
    with load.one_more(), load.one_more():
        assert load.requests == 2
    assert load.requests == 0


def test_what_others_have_there_is_added_as_announced() -> None:
    load = Load()
    with load.one_more(), load.one_more():
        load.announced("4")
        assert load.requests == 2 + 3
    assert load.requests == 3


def test_an_announcement_counts_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.load.LASTS_SECONDS", 0)
    load = Load()
    with load.one_more():
        load.announced("4")
        assert load.requests == 1


@pytest.mark.parametrize("text", ["", "many", "-1", "9" * 40, "²"])
def test_what_makes_no_sense_is_not_believed(text: str) -> None:
    load = Load()
    with load.one_more():
        load.announced("4")
        load.announced(text)
        assert load.requests == 1 + 4
