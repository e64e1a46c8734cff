"""The decoders of untrusted bytes: what was found once, and sound input that is damaged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import REGRESSIONS, TARGETS

Damage = list[tuple[int, int, bytes]]

damages = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(0, 40), st.binary(max_size=40)), min_size=1, max_size=6
)
"""Where, how many bytes are gone, and what is in their place."""


@pytest.mark.parametrize("name", TARGETS)
def test_sound_input_and_what_was_found_once_is_taken_or_refused(name: str) -> None:
    for data in [*seeds(name), *(file.read_bytes() for file in sorted((REGRESSIONS / name).glob("*")))]:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_taken_or_refused(name: str) -> None:
    sound = seeds(name)

    @given(st.sampled_from(sound), damages)
    def damaged(data: bytes, damage: Damage) -> None:
        for at, gone, instead in damage:
            place = at % (len(data) + 1)
            data = data[:place] + instead + data[place + gone :]
        TARGETS[name](data)

    damaged()
