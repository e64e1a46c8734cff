"""--only names what is measured."""

import pytest

from benchmarks.command import chosen
from benchmarks.trial import Trial

NAMES = ("keras-cv/diffusion", "keras-cv/decoder", "keras-cv-plain/decoder", "triptych")
TRIALS = [Trial(name, "module:function", {}) for name in NAMES]


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ("*", NAMES),
        ("keras-cv", NAMES[:2]),
        ("*/decoder", NAMES[1:3]),
        ("triptych, keras-cv/decoder", (NAMES[1], NAMES[3])),
    ],
)
def test_names_choose_in_the_order_of_the_list(only: str, names: tuple[str, ...]) -> None:
    assert tuple(trial.name for trial in chosen(TRIALS, only)) == names


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(SystemExit, match="--only keras: there is no such measurement; --list names them"):
        chosen(TRIALS, "keras")
