"""Requests that the OpenAPI documents allow, and some that they do not, to a real gateway and real stages."""

import random
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import given, settings
from hypothesis.errors import InvalidArgument, Unsatisfiable
from schemathesis.core.result import Ok

from tests.conftest import StageUrl
from tests.running import running_gateway
from tests.unit.gateway.conftest import ServedFakes, served_fakes  # noqa: F401

EXAMPLES = 6
"""For each of some sixty operations; a tenth of the profile's is what `make fuzz` takes."""
LEGITIMATE = (502, 503, 504)
"""Errors of a stage, which say so."""
REPEATS = 400
MOST_GROWTH = 64 << 20
"""Bytes. An allocator keeps some for later, up to a third of this; 160 KiB left behind by each is more."""

Case = schemathesis.Case[Any]


@pytest.fixture(scope="module")
def quick_gateway(
    served_fakes: ServedFakes,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Before stages without a model, which answer at once."""
    urls = {f"{name.upper()}_URL": url for name, (_, url) in served_fakes.items()}
    with running_gateway(tmp_path_factory.mktemp("gateway") / "log", JOBS_QUEUE="10000", **urls) as server:
        yield server.url


profile = settings.default or settings()
brief = settings(max_examples=max(EXAMPLES, profile.max_examples // 10))


def test_the_gateway_answers_whatever_comes_and_keeps_none_of_it(quick_gateway: str) -> None:
    repeat(go_through(quick_gateway), quick_gateway)


@pytest.mark.parametrize("stage", ["text_encoder", "diffusion", "inpainting", "decoder", "all_in_one"])
def test_a_stage_answers_whatever_comes_and_keeps_none_of_it(stage_url: StageUrl, stage: str) -> None:
    repeat(go_through(stage_url(stage)), stage_url(stage))


def repeat(cases: list[Case], url: str) -> None:
    """Many of these again: after a first round, which fills what is kept for later, memory grows no more."""
    again = random.Random(1).choices(cases, k=REPEATS)
    sizes = []
    for _ in range(2):
        for case in again:
            case.call(timeout=30)
        sizes.append(resident(url))
    assert sizes[1] - sizes[0] < MOST_GROWTH, sizes


def resident(url: str) -> float:
    """The server's memory, in bytes."""
    text = requests.get(f"{url}/metrics", timeout=30).text
    found = re.search(r"^process_resident_memory_bytes (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def go_through(url: str) -> list[Case]:
    """Every operation, with what its document allows and with what it does not; all that was asked."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    asked: list[Case] = []

    def ask(case: Case) -> None:
        """No fault of ours, and an error that says something."""
        asked.append(case)
        response = case.call(timeout=30)
        assert response.status_code < 500 or response.status_code in LEGITIMATE, response.text
        if response.status_code >= 400 and case.method != "HEAD":
            assert response.text.strip(), response.status_code

    for operation in operations:
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            with suppress(Unsatisfiable, InvalidArgument):  # a route without parameters has nothing wrong
                strategy = operation.as_strategy(generation_mode=mode)
                brief(given(strategy)(lambda case: ask(case)))()  # a function can be decorated once
    assert {case.operation.label for case in asked} == {one.label for one in operations} != set()
    return asked
