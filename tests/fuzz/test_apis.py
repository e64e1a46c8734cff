"""Requests that the OpenAPI documents allow, and some that they do not, to a real gateway and real stages."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis.errors import InvalidArgument, Unsatisfiable
from schemathesis.core.result import Ok
from schemathesis.schemas import BaseSchema

from tests.conftest import StageUrl
from tests.unit.gateway.conftest import ServedFakes, served_fakes, started  # noqa: F401

EXAMPLES = 6
"""For each of some sixty operations; a tenth of the profile's is what `make fuzz` takes."""
LEGITIMATE = (502, 503, 504)
"""Errors of a stage, which say so."""


@pytest.fixture(scope="module")
def gateway_schema(served_fakes: ServedFakes) -> Iterator[BaseSchema]:  # noqa: F811
    """Of a gateway before stages without a model, which answer at once."""
    with started(served_fakes, jobs_queue=10_000, all_in_one_url=served_fakes["all_in_one"][1]) as client:
        yield schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")


@pytest.fixture(scope="module")
def text_encoder_schema(stage_url: StageUrl) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{stage_url('text_encoder')}/openapi.json")


@pytest.fixture(scope="module")
def decoder_schema(stage_url: StageUrl) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{stage_url('decoder')}/openapi.json")


profile = settings.default or settings()
brief = settings(max_examples=max(EXAMPLES, profile.max_examples // 10))


def test_the_gateway_answers_whatever_comes(gateway_schema: BaseSchema) -> None:
    go_through(gateway_schema)


def test_a_stage_answers_whatever_comes(text_encoder_schema: BaseSchema) -> None:
    go_through(text_encoder_schema)


def test_a_stage_that_takes_tensors_answers_whatever_comes(decoder_schema: BaseSchema) -> None:
    go_through(decoder_schema)


def go_through(schema: BaseSchema) -> None:
    """Every operation, with what its document allows and with what it does not."""
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    asked: set[str] = set()

    def ask(case: schemathesis.Case[Any]) -> None:
        """No fault of ours, and an error that says something."""
        asked.add(case.operation.label)
        response = case.call(timeout=30)
        assert response.status_code < 500 or response.status_code in LEGITIMATE, response.text
        if response.status_code >= 400 and case.method != "HEAD":
            assert response.text.strip(), response.status_code

    for operation in operations:
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            with suppress(Unsatisfiable, InvalidArgument):  # a route without parameters has nothing wrong
                strategy = operation.as_strategy(generation_mode=mode)
                brief(given(strategy)(lambda case: ask(case)))()  # a function can be decorated once
    assert asked == {operation.label for operation in operations} != set()
