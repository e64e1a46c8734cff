"""Each deployment makes the picture that all stages here make, with a fake of Hugging Face's cloud."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image, ImageDraw
from safetensors import safe_open
from safetensors.numpy import save_file

from endpoints.bundle import BUILT_IN, write_bundle
from endpoints.selected import Selected
from tests.conftest import StageEndpoint, StageUrl
from tests.e2e.pictures import background, data_of, opened, picture
from tests.fake_cloud import FakeEndpoint, fake_endpoint
from tests.running import BACKENDS, running_gateway
from tests.tiny import PICTURE, SIZE
from training.concepts import COLOURS

STAGES = ("text_encoder", "diffusion", "inpainting", "decoder")
Gateway = Callable[..., str]
PAINTED = (32, 32, 95, 95)
# An endpoint announces nothing: what is not the contract's default must be said.
ASKED = {"seed": 1, "steps": 13, "guidance_scale": 4.0, "size": SIZE}


@pytest.fixture(scope="module")
def gateway_with(
    stage_url: StageUrl, stage_endpoint: StageEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """The URL of a gateway with these stages on endpoints, and the others of the four here."""
    logs: Path = tmp_path_factory.mktemp("gateways")
    with ExitStack() as stack:

        @cache
        def start(*remote: str) -> str:
            here = [] if remote == ("all_in_one",) else [name for name in STAGES if name not in remote]
            variables = {f"{name}_URL": "" for name in map(str.upper, STAGES)}
            variables |= {f"{name.upper()}_URL": stage_url(name) for name in here}
            for name in remote:
                endpoint = stage_endpoint(name)
                variables |= {f"{name.upper()}_URL": endpoint.url, f"{name.upper()}_TOKEN": endpoint.token}
            return stack.enter_context(running_gateway(logs / "-".join(remote), **variables)).url

        yield start


def ask(url: str, **request: Any) -> requests.Response:
    return requests.post(f"{url}/v1/txt2img", json={**ASKED, **request}, timeout=120)


def repainted(url: str) -> Image.Image:
    """A yellow picture in whose middle there is to be a red apple."""
    image, mask = Image.new("RGB", PICTURE, COLOURS["yellow"]), Image.new("L", PICTURE)
    ImageDraw.Draw(mask).rectangle(PAINTED, fill=255)
    request = {"prompt": "a red apple on a yellow background", "image": data_of(image), "mask": data_of(mask)}
    answer = requests.post(f"{url}/v1/inpaint", json={**ASKED, **request}, timeout=120)
    assert answer.status_code == 200, answer.text
    return opened(answer.json()["images"][0]["data"])


def same(first: Image.Image, second: Image.Image) -> bool:
    """But for what rounds otherwise on another backend: all in one is on one, the stages are on two."""
    difference = np.asarray(first).astype(int) - np.asarray(second)
    return bool(np.abs(difference).max() <= 1)


@pytest.mark.parametrize(
    ("remote", "colour"),
    [
        (("all_in_one",), "purple"),
        (STAGES, "blue"),
        (("diffusion",), "green"),
        (("inpainting",), "pink"),
        (("decoder",), "orange"),
    ],
    ids=["everything in one endpoint", "four endpoints", "diffusion", "inpainting", "decoder"],
)
def test_a_prompt_becomes_the_picture_that_it_becomes_here(
    remote: tuple[str, ...],
    colour: str,
    gateway_with: Gateway,
    gateway_url: str,
    stage_endpoint: StageEndpoint,
) -> None:
    request = {"prompt": f"a cat on a {colour} background"}
    answer = ask(gateway_with(*remote), **request)
    assert answer.status_code == 200, answer.text
    made = opened(answer.json()["images"][0]["data"])
    assert background(made) == colour
    assert same(made, picture(gateway_url, **ASKED, **request))
    ran = {call["stage"]: call["replica"] for call in answer.json()["stages"]}
    assert {name: stage_endpoint(name).url for name in remote if name in ran}.items() <= ran.items()
    assert set(remote) & set(ran) or remote == ("inpainting",)


@pytest.mark.parametrize("remote", [("inpainting",), STAGES], ids=["inpainting", "four endpoints"])
def test_a_part_is_repainted_as_it_is_here(
    remote: tuple[str, ...], gateway_with: Gateway, gateway_url: str, stage_endpoint: StageEndpoint
) -> None:
    asked = len(stage_endpoint("inpainting").received)
    made = repainted(gateway_with(*remote))
    assert ("POST", 200) in [
        (request.method, request.status) for request in stage_endpoint("inpainting").received[asked:]
    ]
    assert same(made, repainted(gateway_url))
    red, green, _ = np.asarray(made)[48:80, 48:80].reshape(-1, 3).mean(axis=0)
    assert red > green + 40


def test_an_endpoint_gets_its_own_token_and_no_other(
    gateway_with: Gateway, stage_endpoint: StageEndpoint
) -> None:
    assert ask(gateway_with(*STAGES), prompt="a dog", steps=2).status_code == 200
    for name in STAGES:
        sent = {request.headers.get("Authorization") for request in stage_endpoint(name).received}
        assert sent == {f"Bearer hf_{name}"}


@pytest.fixture(scope="module")
def tuned_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEndpoint]:
    """An endpoint with the bundle of a diffusion stage whose weights are others than the built-in model's."""
    folder = tmp_path_factory.mktemp("tuned")
    built_in = {"SD_VERSION": "tiny", "KERAS_BACKEND": BACKENDS["DIFFUSION"]}
    bundle = write_bundle(Selected("diffusion", built_in, is_built_in=True), folder)
    tune(bundle / "triptych" / "assets" / BUILT_IN)
    with fake_endpoint(bundle, folder / "endpoint", token="hf_tuned") as endpoint:
        yield endpoint


def tune(path: Path) -> None:
    """Changes the weights of the diffusion model in the file."""
    with safe_open(str(path), framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, tensor in tensors.items():
        if name.startswith("diffusion/") and tensor.ndim == 4:
            tensors[name] = tensor * tensor.dtype.type(0.97)
    save_file(tensors, path, metadata)


def test_a_fine_tuned_model_is_chosen_beside_the_standard_one(
    tuned_endpoint: FakeEndpoint, stage_url: StageUrl, gateway_url: str, tmp_path: Path
) -> None:
    variables = {f"{name.upper()}_URL": stage_url(name) for name in STAGES}
    variables |= {"DIFFUSION_URL__anime": tuned_endpoint.url, "DIFFUSION_TOKEN__anime": tuned_endpoint.token}
    with running_gateway(tmp_path / "log", **variables) as gateway:
        standard, tuned = (ask(gateway.url, prompt="a dog", model=model) for model in (None, "anime"))
        assert (standard.status_code, tuned.status_code) == (200, 200), tuned.text
        ran = [[call["replica"] for call in answer.json()["stages"]] for answer in (standard, tuned)]
    encoder, decoder = stage_url("text_encoder"), stage_url("decoder")
    assert ran == [[encoder, place, decoder] for place in (stage_url("diffusion"), tuned_endpoint.url)]
    of_standard, of_tuned = (opened(answer.json()["images"][0]["data"]) for answer in (standard, tuned))
    assert same(of_standard, picture(gateway_url, **ASKED, prompt="a dog"))
    assert not same(of_tuned, of_standard)


@contextmanager
def set_back(endpoint: Any) -> Iterator[None]:
    """Whatever is done to the endpoint inside, it runs afterwards."""
    try:
        yield
    finally:
        endpoint.wake_seconds = 0.0
        endpoint.resume()


def error_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"]


def test_an_endpoint_that_sleeps_is_woken_and_then_makes_pictures(
    gateway_with: Gateway, gateway_url: str, stage_endpoint: StageEndpoint
) -> None:
    url, endpoint = gateway_with("diffusion"), stage_endpoint("diffusion")
    with set_back(endpoint):
        endpoint.wake_seconds = 1.0
        endpoint.scale_to_zero()
        answer = ask(url, prompt="a dog")
    assert answer.status_code == 200, answer.text
    assert endpoint.wakes == 1
    (call,) = [call for call in answer.json()["stages"] if call["stage"] == "diffusion"]
    assert call["seconds_waiting"] > 0.9
    assert same(opened(answer.json()["images"][0]["data"]), picture(gateway_url, **ASKED, prompt="a dog"))


def test_an_endpoint_that_is_paused_is_told_with_what_to_do(
    gateway_with: Gateway, stage_endpoint: StageEndpoint
) -> None:
    url, endpoint = gateway_with("decoder"), stage_endpoint("decoder")
    with set_back(endpoint):
        endpoint.pause()
        status, said = error_of(ask(url, prompt="a dog", steps=2))
    assert status == 503
    assert f"The decoder stage was asked (POST {endpoint.url}) and answered 400" in said
    assert "Resume the endpoint, it does not wake by itself" in said
    assert ask(url, prompt="a dog", steps=2).status_code == 200
