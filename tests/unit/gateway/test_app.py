"""The application as a whole."""

import re
from typing import Any

import httpx
import pytest

from gateway.api.rendering import SHAPES
from tests.running import watchdogs
from tests.unit.gateway.conftest import Fakes, StartGateway


def examples(gateway: httpx.Client) -> list[tuple[str, dict[str, Any]]]:
    """Of the native dialect."""
    paths = gateway.get("/openapi.json").json()["paths"]
    return [
        (path, example["value"])
        for path, operations in paths.items()
        if not path.startswith(tuple(SHAPES))
        for content in [operations.get("post", {}).get("requestBody", {}).get("content", {})]
        for example in content.get("application/json", {}).get("examples", {}).values()
    ]


def test_the_docs_need_no_other_host(gateway: httpx.Client) -> None:
    page = gateway.get("/docs").text
    links = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(links) >= 3
    for link in links:
        assert link.startswith("/"), link
        assert gateway.get(link).status_code == 200
    assert "https://" not in page
    assert "http://" not in page


def test_every_example_of_the_docs_runs(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["diffusion"].extras, fakes["decoder"].extras = ["strength"], ["task"]
    found = examples(fresh_gateway)
    assert {path for path, _ in found} == {"/v1/txt2img", "/v1/img2img", "/v1/inpaint", "/v1/jobs"}
    for path, body in found:
        response = fresh_gateway.post(path, json=body)
        assert response.status_code == (202 if path == "/v1/jobs" else 200), response.text
        assert response.json().get("warnings", []) == []


def test_the_docs_describe_every_field(gateway: httpx.Client) -> None:
    operation = gateway.get("/openapi.json").json()["paths"]["/v1/inpaint"]["post"]
    for content in operation["requestBody"]["content"].values():
        for name, field in content["schema"]["properties"].items():
            assert field.get("description"), name
    assert set(operation["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert {"application/json", "image/png", "image/webp", "image/jpeg"} <= set(
        operation["responses"]["200"]["content"]
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nothing", 404, "NotFound"),
        ("GET", "/v1/txt2img", 405, "MethodNotAllowed"),
        ("GET", "/static-offline-docs/none.js", 404, "NotFound"),
    ],
)
def test_unknown_routes_and_methods_are_refused_in_the_same_shape(
    gateway: httpx.Client, method: str, path: str, status: int, kind: str
) -> None:
    response = gateway.request(method, path)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (status, kind)
    assert path in error["message"]
    assert set(error) == {"type", "message", "field", "stage", "replica", "request_id"}


def test_a_wrong_method_is_told_which_are_right(gateway: httpx.Client) -> None:
    response = gateway.get("/v1/txt2img")
    assert response.headers["allow"] == "POST"
    assert "It takes POST." in response.json()["error"]["message"]


def test_two_gateways_in_one_process_share_nothing(start_gateway: StartGateway, fakes: Fakes) -> None:
    one, other = start_gateway(), start_gateway(inpainting_url="")
    one.post("/v1/txt2img", json={"prompt": ""})
    assert 'route="/v1/txt2img"' not in other.get("/metrics").text
    assert len(one.get("/v1/stages").json()) == 4
    assert len(other.get("/v1/stages").json()) == 3


def test_a_gateway_is_watched_whether_its_event_loop_stands_still(start_gateway: StartGateway) -> None:
    before = watchdogs()
    start_gateway()
    assert watchdogs() - before
