"""The quick faults, each in a real stack; `make faults` goes through all of them."""

from collections.abc import Iterator

import pytest

from tests.conftest import StageUrl
from tests.faults.cases import cases
from tests.faults.client import summary
from tests.faults.stack import Stack, whole_stack
from tests.faults.trial import Case

QUICK = [case for case in cases() if case.quick]


@pytest.fixture(scope="module")
def stack(stage_url: StageUrl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with whole_stack(tmp_path_factory.mktemp("faults"), stage_url, "decoder") as one:
        yield one


@pytest.mark.parametrize("case", QUICK, ids=[case.name for case in QUICK])
def test_a_fault_is_told_heals_and_loses_nothing(case: Case, stack: Stack) -> None:
    if case.needs:
        pytest.skip(f"needs {case.needs}")
    row = case.run(stack)
    assert row.accepted and not row.lost
    for answer in row.answers:
        assert answer.status != 500, summary(row.answers)
