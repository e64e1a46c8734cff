"""The tree and its one table."""

from gateway.errors import (
    STATUS,
    GatewayError,
    LimitReached,
    Overloaded,
    StageError,
    StageUnavailable,
    StoreUnavailable,
)


def leaves(error: type[GatewayError]) -> set[type[GatewayError]]:
    children = error.__subclasses__()
    return set().union(*map(leaves, children)) if children else {error}


def test_every_error_that_can_be_raised_has_its_status() -> None:
    assert set(STATUS) == leaves(GatewayError)
    alike = {error for error, status in STATUS.items() if list(STATUS.values()).count(status) > 1}
    assert alike == {StoreUnavailable, StageUnavailable, LimitReached, Overloaded}


def test_what_a_stage_does_wrong_is_a_fault_behind_the_gateway() -> None:
    assert {STATUS[error] for error in leaves(StageError)} == {502, 503, 504}
