"""AUTOMATIC1111's routes over real HTTP, in front of fake stages."""

import base64
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.responses import JSONResponse

from tests.unit.gateway.api.conftest import PREVIEW, SECONDS_LEFT
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import PAINTED, ask_and_leave, wait_until
from tests.unit.gateway.pictures import file_of, noise, opened, pixels_of, text_of, white_box

SMALL = {"prompt": "a red apple", "width": 64, "height": 64, "seed": 5, "sampler_name": "DDIM"}
TXT2IMG, IMG2IMG = "/sdapi/v1/txt2img", "/sdapi/v1/img2img"
PROGRESS, INTERRUPT = "/sdapi/v1/progress", "/sdapi/v1/interrupt"


def error(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    said = response.json()
    assert set(said) == {"error", "detail", "body", "errors"}
    return str(said["detail"])


def info(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    said: dict[str, Any] = json.loads(response.json()["info"])
    return said


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def own_gateway(start_gateway: StartGateway) -> httpx.Client:
    """With nothing under way but the test's."""
    return start_gateway()


def begin(pool: ThreadPoolExecutor, gateway: httpx.Client, **fields: Any) -> "Future[httpx.Response]":
    """A request that is under way when this returns."""
    drawing = pool.submit(gateway.post, TXT2IMG, json={**SMALL, **fields})
    wait_until(lambda: gateway.get(PROGRESS).json()["progress"] > 0)
    return drawing


def test_the_answer_is_what_the_clients_read(gateway: httpx.Client) -> None:
    response = gateway.post(TXT2IMG, json={**SMALL, "batch_size": 2, "eta": 1})
    body, said = response.json(), info(response)
    assert "diffusion;dur=" in response.headers["server-timing"]
    assert set(body) == {"images", "parameters", "info"}
    assert (pixels_of(body["images"][0]) == PAINTED).all()
    assert body["parameters"]["eta"] == 1
    assert (said["seed"], said["all_seeds"]) == (5, [5, 6])
    assert (said["sampler_name"], said["steps"], said["cfg_scale"]) == ("DDIM", 50, 7.0)
    assert (said["sd_model_name"], said["sd_model_hash"]) == ("Triptych tiny", "0123456789")
    assert said["infotexts"][1] == opened(body["images"][1]).info["parameters"]


def test_pictures_may_be_left_out(gateway: httpx.Client) -> None:
    assert gateway.post(TXT2IMG, json={**SMALL, "send_images": False}).json()["images"] == []


def test_a_part_of_a_picture_is_repainted(gateway: httpx.Client, fakes: Fakes) -> None:
    image, mask = noise(100, 60), white_box(100, 60, 30, 20, 50, 40)
    pictures = {"init_images": [text_of(image)], "mask": text_of(mask), "mask_blur": 0}
    response = gateway.post(IMG2IMG, json={**SMALL, **pictures, "denoising_strength": 0.6})
    result = pixels_of(response.json()["images"][0])
    assert np.array_equal(result[mask == 0], image[mask == 0])
    assert (result[25:35, 35:45] == PAINTED).all()
    assert "Denoising strength: 0.6" in info(response)["infotexts"][0]
    assert "init_images" not in response.json()["parameters"]
    assert len(fakes["inpainting"].requests) == 1


def test_nothing_is_under_way_to_begin_with(own_gateway: httpx.Client) -> None:
    said = own_gateway.get(PROGRESS).json()
    assert (said["progress"], said["eta_relative"], said["current_image"]) == (0, 0, None)
    assert said["state"]["job_count"] == 0


def test_what_is_under_way_is_shown_as_it_forms(
    own_gateway: httpx.Client, half_way: threading.Event, pool: ThreadPoolExecutor
) -> None:
    drawing = begin(pool, own_gateway, n_iter=3)
    said = own_gateway.get(PROGRESS).json()
    assert (said["progress"], said["eta_relative"]) == (0.5, SECONDS_LEFT)
    state = said["state"]
    assert (state["job_count"], state["sampling_step"], state["sampling_steps"]) == (3, 10, 20)
    assert pixels_of(said["current_image"]).shape == (64, 64, 3)
    assert (pixels_of(said["current_image"]) == PREVIEW[0, 0, 0]).all()
    skipped = own_gateway.get(PROGRESS, params={"skip_current_image": True}).json()
    assert skipped["current_image"] is None
    assert own_gateway.get("/queue/status").json()["queue_size"] == 1
    half_way.set()
    assert drawing.result().status_code == 200
    assert own_gateway.get(PROGRESS).json()["progress"] == 0


@pytest.mark.parametrize("path", [INTERRUPT, "/sdapi/v1/skip"])
def test_what_is_interrupted_is_answered_as_far_as_it_is(
    own_gateway: httpx.Client, half_way: threading.Event, pool: ThreadPoolExecutor, path: str
) -> None:
    drawing = begin(pool, own_gateway, batch_size=2)
    assert own_gateway.post(path).status_code == 200
    response = drawing.result(20)
    shown = [pixels_of(image) for image in response.json()["images"]]
    assert [picture.shape for picture in shown] == [(64, 64, 3)] * 2
    assert all((picture == PREVIEW[0, 0, 0]).all() for picture in shown)
    assert info(response)["all_seeds"] == [5, 6]
    assert "It was interrupted" in " ".join(info(response)["warnings"])
    assert own_gateway.get(PROGRESS).json()["progress"] == 0


def test_what_was_done_before_an_interruption_is_kept(
    own_gateway: httpx.Client, fakes: Fakes, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.offer.most_images", lambda _: 2)
    drawing = pool.submit(own_gateway.post, TXT2IMG, json={**SMALL, "batch_size": 6})
    wait_until(lambda: len(fakes["decoder"].requests) >= 1)
    fakes["diffusion"].delay = 60
    wait_until(lambda: own_gateway.get(PROGRESS).json()["state"]["job_no"] >= 1)
    own_gateway.post(INTERRUPT)
    done = len(drawing.result(20).json()["images"])
    assert done in (2, 4, 6)


def test_interrupting_nothing_does_nothing(own_gateway: httpx.Client) -> None:
    assert own_gateway.post(INTERRUPT).json() == {}
    assert own_gateway.post("/sdapi/v1/skip").json() is None


def test_a_client_that_leaves_ends_what_it_asked_for(own_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["diffusion"].delay = 60
    ask_and_leave(own_gateway, TXT2IMG, SMALL, fakes["diffusion"])
    wait_until(lambda: fakes["diffusion"].left == 1)
    wait_until(lambda: own_gateway.get(PROGRESS).json()["state"]["job_count"] == 0)


def test_the_model_is_set_for_all_or_for_one(
    start_gateway: StartGateway, urls: dict[str, str], fakes: Fakes
) -> None:
    diffusion = urls["diffusion"].replace("127.0.0.1", "localhost")
    gateway = start_gateway(models={"anime": {"diffusion_url": diffusion}})

    def host() -> str:
        gateway.post(TXT2IMG, json=SMALL)
        return fakes["diffusion"].headers[-1]["host"].partition(":")[0]

    titles = [model["title"] for model in gateway.get("/sdapi/v1/sd-models").json()]
    assert titles == ["Triptych tiny [0123456789]", "anime [0123456789]"]
    assert gateway.get("/sdapi/v1/options").json()["sd_model_checkpoint"] == titles[0]
    assert host() == "127.0.0.1"
    gateway.post("/sdapi/v1/options", json={"sd_model_checkpoint": titles[1], "eta": 0})
    assert gateway.get("/sdapi/v1/options").json()["sd_model_checkpoint"] == titles[1]
    assert host() == "localhost"
    gateway.post(TXT2IMG, json={**SMALL, "override_settings": {"sd_model_checkpoint": "Triptych tiny"}})
    assert fakes["diffusion"].headers[-1]["host"].startswith("127.0.0.1")
    said = error(gateway.post("/sdapi/v1/options", json={"sd_model_checkpoint": "x"}), 422)
    assert said == "sd_model_checkpoint must be triptych-tiny or anime; got 'x'."


def test_the_text_in_a_picture_is_read(gateway: httpx.Client) -> None:
    (image,) = gateway.post(TXT2IMG, json={**SMALL, "negative_prompt": "green"}).json()["images"]
    said = gateway.post("/sdapi/v1/png-info", json={"image": image}).json()
    assert said["items"] == {"parameters": said["info"]}
    assert said["parameters"]["Negative prompt"] == "green"
    plain = gateway.post("/sdapi/v1/png-info", json={"image": text_of(noise(8, 8))}).json()
    assert plain == {"info": "", "items": {}, "parameters": {}}
    assert "PNG, JPEG or WebP" in error(gateway.post("/sdapi/v1/png-info", json={"image": "aaaa"}), 422)


def test_what_is_listed_can_be_asked_for(gateway: httpx.Client) -> None:
    for sampler in gateway.get("/sdapi/v1/samplers").json():
        response = gateway.post(TXT2IMG, json={**SMALL, "sampler_name": sampler["name"]})
        assert response.status_code == 200 or "sampler_name must be one of" in error(response, 422)
    names = [scheduler["label"] for scheduler in gateway.get("/sdapi/v1/schedulers").json()]
    assert names[:3] == ["Automatic", "Uniform", "DDIM"]


def test_errors_have_the_web_uis_shape(gateway: httpx.Client, fakes: Fakes) -> None:
    assert error(gateway.post(IMG2IMG, json={"init_images": None}), 404) == "Init image not found"
    assert error(gateway.post(TXT2IMG, json={"sampler_name": "nonsense"}), 400) == "Sampler not found"
    assert "batch_size must be" in error(gateway.post(TXT2IMG, json={"batch_size": 1000}), 422)
    assert "There is no" in error(gateway.get("/sdapi/v1/nothing"), 404)
    assert "does not take GET" in error(gateway.get(TXT2IMG), 405)
    assert "a JSON object" in error(gateway.post(TXT2IMG, json=[]), 422)
    fakes["diffusion"].responses["/"] = lambda: JSONResponse({"error": "out of memory"}, 500)
    assert "out of memory" in error(gateway.post(TXT2IMG, json=SMALL), 502)


def test_a_picture_of_another_kind_is_taken(gateway: httpx.Client) -> None:
    image = base64.b64encode(file_of(noise(64, 64), "JPEG")).decode()
    mask = text_of(white_box(64, 64, 8, 8, 40, 40))
    response = gateway.post(IMG2IMG, json={**SMALL, "init_images": [image], "mask": mask})
    assert response.status_code == 200
