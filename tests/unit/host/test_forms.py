import io
import json
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from triptych.wire import FIELDS, IMAGE_FORMAT, MEDIA_TYPE, encode_tensor, pack, unpack

from .conftest import Serve, timing

DOUBLER = """
    import numpy as np
    from triptych.fields import Fields
    from triptych.wire import Tensors, encode_tensor

    class EndpointHandler:
        def __init__(self, path=""):
            pass

        def __call__(self, data):
            return encode_tensor(next(iter(self.tensors(data).values())))

        def tensors(self, data):
            fields = Fields(data)
            if fields.text("wanted", "latent") == "image":
                return Tensors(image=np.arange(96, dtype=np.uint8).reshape(2, 4, 4, 3))
            latent = fields.tensor("inputs", "latent", np.float32, (2, 3))
            return Tensors(latent=latent * fields.integer("times", 2, 1, 9))

        def info(self):
            return {"stage": "echo", "shapes": {"latent": [3], "image": [4, 4, 3]}}
"""
LATENT = np.arange(6, dtype=np.float32).reshape(2, 3) / 3
SAFETENSORS = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}


def body(**fields: Any) -> bytes:
    return pack({"latent": LATENT}, {FIELDS: json.dumps(fields)})


def test_a_handler_with_tensors_announces_what_it_takes_and_gives(serve: Serve) -> None:
    assert serve(DOUBLER).get("/info").json()["wire"] == {
        "content_types": ["application/json", "application/vnd.safetensors"],
        "dtypes": ["float32", "float16", "uint8"],
        "image_formats": ["png", "webp"],
    }


def test_safetensors_go_in_with_their_fields_and_come_out(serve: Serve) -> None:
    answer = serve(DOUBLER).post("/", content=body(times=3), headers=SAFETENSORS)
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE)
    assert np.array_equal(unpack("answer", answer.content)[0]["latent"], LATENT * 3)


def test_either_way_may_be_the_contracts(serve: Serve) -> None:
    client = serve(DOUBLER)
    text = encode_tensor(LATENT)
    only_in = client.post("/", content=body(), headers={"Content-Type": MEDIA_TYPE})
    only_out = client.post("/", json={"inputs": text}, headers={"Accept": MEDIA_TYPE})
    neither = client.post("/", json={"inputs": text}, headers={"Accept": "application/json, */*"})
    assert only_in.json() == neither.json() == encode_tensor(LATENT * 2)
    assert np.array_equal(unpack("answer", only_out.content)[0]["latent"], LATENT * 2)


def test_floats_come_narrowed_when_they_are_asked_for(serve: Serve) -> None:
    accept = f"{MEDIA_TYPE}; dtype=float16"
    answer = serve(DOUBLER).post("/", content=body(), headers={**SAFETENSORS, "Accept": accept})
    latent = unpack("answer", answer.content)[0]["latent"]
    assert latent.dtype == np.float16
    assert np.abs(latent - LATENT * 2).max() < 2e-3


@pytest.mark.parametrize("image_format", ["png", "webp"])
def test_pictures_come_as_files_without_loss_when_they_are_asked_for(serve: Serve, image_format: str) -> None:
    client = serve(DOUBLER)
    request = {"inputs": "", "wanted": "image"}
    raw = unpack("", client.post("/", json=request, headers={"Accept": MEDIA_TYPE}).content)[0]["image"]
    accept = f"{MEDIA_TYPE};image_format={image_format}"
    files, metadata = unpack("", client.post("/", json=request, headers={"Accept": accept}).content)
    opened = [Image.open(io.BytesIO(files[f"image.{index}"].tobytes())) for index in range(2)]
    assert metadata == {IMAGE_FORMAT: image_format}
    assert [image.format for image in opened] == [image_format.upper()] * 2
    assert np.array_equal(np.stack([np.asarray(image) for image in opened]), raw)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("dtype=int8", "dtype in Accept must be float32 or float16; got int8"),
        ("image_format=gif", "image_format in Accept must be png or webp; got gif"),
    ],
)
def test_a_form_that_there_is_not_is_406(serve: Serve, parameters: str, said: str) -> None:
    accept = f"text/html, {MEDIA_TYPE};{parameters}"
    answer = serve(DOUBLER).post("/", content=body(), headers={**SAFETENSORS, "Accept": accept})
    assert (answer.status_code, answer.json()) == (406, {"error": said})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "body must be safetensors"),
        (pack({"image": LATENT}, {}), "inputs must be the tensors latent; got image"),
        (pack({"latent": LATENT[:1]}, {}), "inputs must be a float32 tensor of shape (2, 3); got float32 of"),
        (pack({"latent": LATENT * np.nan}, {}), "finite"),
        (pack({"latent": LATENT}, {FIELDS: "[1]"}), "body must be a JSON object in UTF-8; got a list"),
        (pack({"latent": LATENT}, {FIELDS: '{"times": NaN}'}), "NaN is not JSON"),
        (pack({"latent": LATENT}, {FIELDS: '{"times": 0}'}), "times must be a whole number"),
    ],
)
def test_tensors_that_are_not_sound_are_422_and_the_next_request_works(
    serve: Serve, content: bytes, said: str
) -> None:
    client = serve(DOUBLER)
    answer = client.post("/", content=content, headers=SAFETENSORS)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["error"]
    assert client.post("/", content=body(), headers=SAFETENSORS).status_code == 200


def test_another_type_is_415_and_says_both_that_are_taken(serve: Serve) -> None:
    answer = serve(DOUBLER).post("/", content=b"", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "application/json or application/vnd.safetensors; got text/plain" in answer.json()["error"]


def test_a_plain_handler_goes_by_the_contract_alone(serve: Serve) -> None:
    client = serve()
    assert client.post("/", json={"inputs": "as ever"}, headers={"Accept": MEDIA_TYPE}).json() == "as ever"
    assert client.post("/", content=body(), headers=SAFETENSORS).status_code == 415


def test_an_answer_tells_the_milliseconds_in_the_queue_and_in_the_handler(serve: Serve) -> None:
    answer = serve().post("/", json={"inputs": ""})
    assert set(timing(answer)) == {"queue", "handler"}
    assert all(0 <= milliseconds < 1000 for milliseconds in timing(answer).values())
    assert answer.headers["server-timing"].endswith(";cache_hits=0;cache_misses=0")


def test_a_stage_that_is_no_vae_has_no_routes_for_diffusers(serve: Serve) -> None:
    answer: httpx.Response = serve(DOUBLER).post("/remote_decode", content=b"")
    assert answer.status_code == 404
    assert answer.json() == {"error": "there is no /remote_decode; POST / calls the handler"}
