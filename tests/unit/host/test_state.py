import pytest

from host.state import Readiness, State


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_begins_starting() -> None:
    assert Readiness("decoder", FakeClock()).snapshot() == {
        "stage": "decoder",
        "state": "starting",
        "progress": None,
        "error": None,
        "seconds": 0.0,
    }


def test_seconds_run_until_warm_and_then_stand() -> None:
    clock = FakeClock()
    readiness = Readiness("decoder", clock)
    clock.now += 2
    readiness.report("loading", 0.5)
    assert readiness.snapshot()["seconds"] == 2
    clock.now += 3
    readiness.warm()
    clock.now += 10
    assert readiness.snapshot()["seconds"] == 5
    assert readiness.snapshot()["progress"] is None


def test_a_report_after_loading_is_over_changes_nothing() -> None:
    readiness = Readiness("decoder")
    readiness.warm()
    readiness.report("compiling")
    assert readiness.state is State.WARM


def test_a_stage_that_becomes_warm_while_it_stops_is_still_stopping() -> None:
    readiness = Readiness("decoder")
    readiness.stopping()
    readiness.warm()
    assert readiness.snapshot()["state"] == "stopping"


@pytest.mark.parametrize("state", ["warm", "failed", "stopping", "dancing"])
def test_a_state_that_is_not_the_handlers_is_refused(state: str) -> None:
    with pytest.raises(ValueError, match=f"downloading, verifying, loading, compiling; got '{state}'"):
        Readiness("decoder").report(state)
