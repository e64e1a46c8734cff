"""The OpenAPI of the dialects, with examples that run."""

from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse

from gateway.api.rendering import SHAPES
from tests.unit.gateway.conftest import Fakes

READING = {
    "/v1/images/generations",
    "/sdapi/v1/txt2img",
    "/sdapi/v1/img2img",
    "/sdapi/v1/png-info",
    "/sdapi/v1/options",
    "/hf/text-to-image",
    "/hf/image-to-image",
    "/hf/all-in-one",
}
"""The routes that read JSON of their clients."""


@pytest.fixture
def described(fresh_gateway: httpx.Client) -> dict[str, Any]:
    body: dict[str, Any] = fresh_gateway.get("/openapi.json").json()
    return body


def contents(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each of the dialects' routes reads as JSON."""
    posts = {
        path: operations["post"].get("requestBody", {}).get("content", {})
        for path, operations in described["paths"].items()
        if path.startswith(tuple(SHAPES)) and "post" in operations
    }
    return {path: read["application/json"] for path, read in posts.items() if "application/json" in read}


def test_every_example_runs(fresh_gateway: httpx.Client, fakes: Fakes, described: dict[str, Any]) -> None:
    for name in ("diffusion", "inpainting"):
        info = {**fakes[name].info(), "samplers": [], "schedules": []}
        fakes[name].responses["/info"] = lambda info=info: JSONResponse(info)  # type: ignore[misc]
    found = {path: content.get("examples", {}) for path, content in contents(described).items()}
    assert set(found) == READING
    for path, examples in found.items():
        assert examples, path
        for example in examples.values():
            response = fresh_gateway.post(path, json=example["value"])
            assert response.status_code == 200, (path, response.text)


def test_an_edit_is_described_as_a_form(described: dict[str, Any]) -> None:
    read = described["paths"]["/v1/images/edits"]["post"]["requestBody"]["content"]
    properties = read["multipart/form-data"]["schema"]["properties"]
    assert {name for name, field in properties.items() if field.get("format") == "binary"} == {
        "image",
        "mask",
    }


def test_every_schema_has_a_name_for_readers(described: dict[str, Any]) -> None:
    assert not [name for name in described["components"]["schemas"] if "__" in name]
