"""The Server-Timing header, read and written."""

import pytest

from gateway.timing import counts, durations, entry


def test_durations_come_in_milliseconds_by_name() -> None:
    assert durations("queue;dur=12.5, handler;dur=480") == {"queue": 0.0125, "handler": 0.48}


def test_what_else_an_entry_says_is_skipped() -> None:
    header = 'miss, cdn-cache; desc="a, b;dur=1", db;desc="x" ; DUR="53", app;dur=2;extra=3'
    assert durations(header) == {"db": 0.053, "app": 0.002}


@pytest.mark.parametrize("header", ["", ",;=,", "a;dur=", "a;dur=1.2.3", "a;dur=x", "a;dur=-1", "\x00;dur=1"])
def test_what_makes_no_sense_is_left_out(header: str) -> None:
    assert durations(header) == {}


def test_whole_numbers_of_an_entry_come_by_the_names_of_its_parameters() -> None:
    header = 'queue;dur=1;n=5, handler;dur=480.5;Cache_Hits=2;cache_misses="0";desc=x;wire=-1;more=1e3'
    assert counts(header, "handler") == {"cache_hits": 2, "cache_misses": 0}
    assert counts(header, "elsewhere") == {}


def test_a_header_without_end_is_not_read_to_its_end() -> None:
    assert len(durations(",".join(f"a{number};dur=1" for number in range(100_000)))) < 200


def test_an_entry_has_its_duration_and_its_parameters() -> None:
    said = entry(
        "diffusion", 0.5121, desc="http://a:8000", attempts=2, waiting=0.0, computing=None, wire=0.012
    )
    assert said == 'diffusion;dur=512.1;desc="http://a:8000";attempts=2;waiting=0.0;wire=12.0'
    assert durations(said) == {"diffusion": 0.5121}
