"""Reading what a gateway streams."""

from triptych_client.events import Event, read_events


def test_events_are_read_and_comments_are_not() -> None:
    lines = [": alive", "", "event: progress", 'data: {"step": 1}', "", "event: result", "data: {}", ""]
    assert list(read_events(lines)) == [Event("progress", {"step": 1}), Event("result", {})]


def test_an_event_that_is_broken_off_is_left_out() -> None:
    assert list(read_events(["event: result", 'data: {"images": []}'])) == []
