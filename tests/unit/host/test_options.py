from collections.abc import Callable

import pytest

from host.options import Options

from .conftest import Bench, Serve


def test_none_of_them_need_be_given() -> None:
    assert Options.read({"inputs": "x"}) == Options(None, kept=False, preview_every=0, state_every=0)


def test_all_are_read() -> None:
    given = {"job_id": "a.b:c-1", "on_disconnect": "keep", "preview_every": 5.0, "state_every": 1000}
    assert Options.read(given) == Options("a.b:c-1", kept=True, preview_every=5, state_every=1000)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (
            "job_id",
            "",
            "job_id must be 1 to 128 letters, digits and the characters _ . : -; got a string of 0",
        ),
        ("job_id", "a/b", "job_id must be 1 to 128"),
        ("job_id", "a\n", "job_id must be 1 to 128"),
        ("job_id", "a" * 129, "job_id must be 1 to 128"),
        ("job_id", 7, "job_id must be 1 to 128"),
        (
            "on_disconnect",
            "stay",
            "on_disconnect must be cancel or keep; got a string of 4 characters 'stay'",
        ),
        ("on_disconnect", ["keep"], "on_disconnect must be cancel or keep; got a list"),
        ("preview_every", -1, "preview_every must be a whole number from 0 to 1000; got -1"),
        ("preview_every", True, "preview_every must be a whole number"),
        ("state_every", 1001, "state_every must be a whole number from 0 to 1000; got 1001"),
        ("state_every", "2", "state_every must be a whole number"),
    ],
)
def test_a_wrong_one_is_422_and_names_the_field(
    bench: Callable[..., Bench], field: str, value: object, said: str
) -> None:
    stage = bench()
    answer = stage.post(**{field: value})  # type: ignore[arg-type]
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(said)
    assert stage.handler.started == []


def test_a_handler_that_starts_nothing_gets_them_as_any_other_key(serve: Serve) -> None:
    client = serve("""
        class EndpointHandler:
            def __init__(self, path=""):
                pass

            def __call__(self, data):
                return data
    """)
    request = {"inputs": "x", "job_id": 7, "on_disconnect": "stay", "preview_every": -1}
    assert client.post("/", json=request).json() == request
