"""Models by the names that clients give them."""

import httpx
import pytest

from gateway.catalogue import Entry, find_model
from gateway.errors import InvalidRequest
from tests.unit.gateway.conftest import Fakes, StartGateway

STANDARD = Entry(None, "Triptych tiny", "0123456789")
ANIME = Entry("anime", "anime", None)


@pytest.mark.parametrize(
    "name",
    [None, "", "standard", "triptych-tiny", "Triptych tiny", "Triptych tiny [0123456789]", "0123456789"],
)
def test_the_standard_model_has_several_names(name: str | None) -> None:
    assert find_model(name, [STANDARD, ANIME]) is STANDARD


def test_a_model_of_the_settings_is_found_by_its_name() -> None:
    assert find_model("Anime", [STANDARD, ANIME]) is ANIME


def test_an_unknown_model_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidRequest, match="model must be triptych-tiny or anime; got 'gpt-image-1'"):
        find_model("gpt-image-1", [STANDARD, ANIME])


def listed(gateway: httpx.Client) -> list[str]:
    return [model["id"] for model in gateway.get("/v1/models").json()["data"]]


def test_every_model_is_listed_the_standard_one_first(
    start_gateway: StartGateway, urls: dict[str, str]
) -> None:
    diffusion = urls["diffusion"].replace("127.0.0.1", "localhost")
    gateway = start_gateway(models={"anime": {"diffusion_url": diffusion}})
    assert listed(gateway) == ["triptych-tiny", "anime"]


def test_a_plain_endpoint_is_the_standard_model(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["diffusion"].plain = True
    assert listed(fresh_gateway) == ["standard"]


def test_no_endpoint_is_woken_for_the_list(start_gateway: StartGateway) -> None:
    gateway = start_gateway(diffusion_url="https://abc.endpoints.huggingface.cloud")
    assert listed(gateway) == ["standard"]
