"""The gateway's own routes over real HTTP: what they take, what they answer."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import PAINTED, wait_until
from tests.unit.gateway.pictures import Pixels, file_of, noise, opened, pixels_of, text_of, white_box

APPLE = {"prompt": "a red apple"}


def refused(response: httpx.Response, status: int = 422) -> dict[str, Any]:
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"type", "message", "field", "stage", "replica", "request_id"}
    assert error["request_id"] == response.headers["x-request-id"]
    return error


def painted(response: httpx.Response) -> Pixels:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    return pixels_of(response.content)


@pytest.mark.parametrize(
    ("accept", "kind"), [("image/png", "PNG"), ("image/webp", "WEBP"), ("image/jpeg", "JPEG")]
)
def test_an_image_is_answered_where_accept_names_one(gateway: httpx.Client, accept: str, kind: str) -> None:
    response = gateway.post("/v1/txt2img", json={**APPLE, "seed": 5}, headers={"Accept": accept})
    assert response.headers["content-type"] == accept
    assert opened(response.content).format == kind
    assert response.headers["x-triptych-seed"] == "5"


def test_an_image_answer_carries_its_evidence_in_headers(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["text_encoder"].plain = True
    request = {**APPLE, "negative_prompt": "green"}
    response = fresh_gateway.post("/v1/txt2img", json=request, headers={"Accept": "image/png"})
    timing = response.headers["server-timing"]
    assert [entry.split(";")[0].strip() for entry in timing.split(",")] == [
        "text_encoder",
        "diffusion",
        "decoder",
        "total",
    ]
    assert response.headers["x-triptych-warning"].startswith("negative_prompt was sent to the text_encoder")


def test_json_is_answered_where_accept_names_nothing_in_particular(gateway: httpx.Client) -> None:
    response = gateway.post("/v1/txt2img", json=APPLE)
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"id", "images", "parameters", "stages", "warnings", "seconds"}
    assert body["id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(("output_format", "kind"), [("png", "PNG"), ("webp", "WEBP"), ("jpeg", "JPEG")])
def test_the_output_format_chooses_the_file_type(
    gateway: httpx.Client, output_format: str, kind: str
) -> None:
    request = {**APPLE, "output_format": output_format}
    (image,) = gateway.post("/v1/txt2img", json=request).json()["images"]
    assert opened(image["data"]).format == kind
    assert image["media_type"] == f"image/{output_format}"
    response = gateway.post("/v1/txt2img", json=request, headers={"Accept": "image/*"})
    assert response.headers["content-type"] == f"image/{output_format}"


def test_an_accept_that_nothing_fits_is_refused_before_any_work(gateway: httpx.Client, fakes: Fakes) -> None:
    error = refused(gateway.post("/v1/txt2img", json=APPLE, headers={"Accept": "text/html"}), 406)
    assert error["type"] == "NotAcceptable"
    offers = "application/json or image/png or image/webp or image/jpeg or text/event-stream"
    assert f"{offers}; got text/html" in error["message"]
    request = {**APPLE, "output_format": "webp"}
    refused(gateway.post("/v1/txt2img", json=request, headers={"Accept": "image/png"}), 406)
    assert fakes["text_encoder"].requests == []


def test_several_images_come_as_json_only(gateway: httpx.Client) -> None:
    request = {**APPLE, "num_images": 2}
    error = refused(gateway.post("/v1/txt2img", json=request, headers={"Accept": "image/png"}), 406)
    said = "application/json or text/event-stream: several images come as JSON; got image/png."
    assert error["message"] == f"Accept must allow {said}"
    accept = {"Accept": "image/png, application/json;q=0.1"}
    assert len(gateway.post("/v1/txt2img", json=request, headers=accept).json()["images"]) == 2


def test_a_png_carries_the_parameters(gateway: httpx.Client) -> None:
    request = {
        "prompt": "a red apple",
        "negative_prompt": "grün",
        "seed": 7,
        "sampler": "euler_ancestral",
        "schedule": "range",
        "num_images": 2,
    }
    image = opened(gateway.post("/v1/txt2img", json=request).json()["images"][1]["data"])
    assert image.info["parameters"] == (
        "a red apple\n"
        "Negative prompt: grün\n"
        "Steps: 20, Sampler: Euler a, Schedule type: range, CFG scale: 4, Seed: 8, Size: 64x64, "
        "Model hash: 0123456789, Model: Triptych tiny, VAE hash: 4444444444, Version: Triptych 0.1.0"
    )
    parameters = json.loads(image.info["triptych"])
    assert parameters["seed"] == 8
    assert parameters["prompt"] == "a red apple"


def test_the_answered_parameters_can_be_sent_again(gateway: httpx.Client) -> None:
    first = gateway.post("/v1/txt2img", json=APPLE).json()["parameters"]
    again = {name: value for name, value in first.items() if not name.startswith("model")}
    assert gateway.post("/v1/txt2img", json=again).json()["parameters"] == first


BAD_FIELDS = [
    pytest.param(
        {}, "prompt", "prompt must be a string of at most 2000 characters; got nothing.", id="no prompt"
    ),
    pytest.param({"prompt": 5}, "prompt", "characters; got 5.", id="a prompt that is a number"),
    pytest.param({"prompt": "x" * 2001}, "prompt", "got a string of 2001 characters.", id="a long prompt"),
    pytest.param(
        {**APPLE, "num_images": 0}, "num_images", "num_images must be a whole number", id="no images"
    ),
    pytest.param({**APPLE, "num_images": 10_000}, "num_images", "got 10000", id="ten thousand images"),
    pytest.param({**APPLE, "num_images": True}, "num_images", "got True", id="a truth"),
    pytest.param(
        {**APPLE, "num_images": "3"}, "num_images", "string of 1 characters '3'", id="a number in quotes"
    ),
    pytest.param({**APPLE, "steps": 0}, "steps", "1 or more, or null; got 0.", id="no steps"),
    pytest.param({**APPLE, "steps": 2.5}, "steps", "got 2.5", id="half a step"),
    pytest.param(
        {**APPLE, "guidance_scale": -1}, "guidance_scale", "from 0 to 100, or null; got -1", id="away"
    ),
    pytest.param({**APPLE, "seed": -1}, "seed", "from 0 to 2^63-1, or null; got -1.", id="a negative seed"),
    pytest.param({**APPLE, "seed": 2**63}, "seed", "seed must be a whole number", id="a seed too large"),
    pytest.param(
        {**APPLE, "schedule": "even"}, "schedule", "karras, lcm or null; got", id="no such schedule"
    ),
    pytest.param(
        {**APPLE, "sampler": "DDIM"}, "sampler", "must be ddim, euler, euler_a", id="no such sampler"
    ),
    pytest.param({**APPLE, "size": "64"}, "size", "WIDTHxHEIGHT such as 128x128", id="half a size"),
    pytest.param({**APPLE, "size": "0x64"}, "size", "WIDTHxHEIGHT", id="a size of nothing"),
    pytest.param({**APPLE, "output_format": "gif"}, "output_format", "png, webp, jpeg or null", id="a gif"),
    pytest.param(
        {**APPLE, "stpes": 3}, "stpes", "is not a field of this request. Did you mean steps?", id="a slip"
    ),
    pytest.param({**APPLE, "zzz": 3}, "zzz", "It takes prompt, negative_prompt", id="an unknown field"),
]


@pytest.mark.parametrize(("body", "field", "said"), BAD_FIELDS)
def test_a_field_at_fault_is_named_with_what_it_must_be_and_what_came(
    gateway: httpx.Client, fakes: Fakes, body: dict[str, Any], field: str, said: str
) -> None:
    error = refused(gateway.post("/v1/txt2img", json=body))
    assert (error["type"], error["field"]) == ("InvalidRequest", field)
    assert said in error["message"]
    assert fakes["text_encoder"].requests == []


def test_every_fault_is_told_at_once(gateway: httpx.Client) -> None:
    message = refused(gateway.post("/v1/txt2img", json={"steps": 0, "seed": "x"}))["message"]
    assert [sentence.split()[0] for sentence in message.split(". ")] == ["prompt", "steps", "seed"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"prompt"', b"null", b'{"prompt": "\\ud800"}', b"\xff\xfe", b'{"prompt": NaN}'],
)
def test_what_is_no_json_object_is_refused(gateway: httpx.Client, body: bytes) -> None:
    response = gateway.post("/v1/txt2img", content=body, headers={"Content-Type": "application/json"})
    assert "must be a" in refused(response)["message"]


def test_numbers_that_are_none_are_refused(gateway: httpx.Client) -> None:
    for value in ("NaN", "Infinity", "1e999"):
        body = f'{{"prompt": "", "guidance_scale": {value}}}'
        response = gateway.post("/v1/txt2img", content=body, headers={"Content-Type": "application/json"})
        assert refused(response)["field"] == "guidance_scale"


def test_an_empty_prompt_is_a_prompt(gateway: httpx.Client) -> None:
    assert gateway.post("/v1/txt2img", json={"prompt": ""}).status_code == 200


@pytest.mark.parametrize("prompt", ["ein Äpfel 🍎", "line\nline", "nul\0nul", "x" * 2000])
def test_any_text_is_a_prompt(gateway: httpx.Client, fakes: Fakes, prompt: str) -> None:
    assert gateway.post("/v1/txt2img", json={"prompt": prompt}).status_code == 200
    assert fakes["text_encoder"].requests[0]["inputs"] == prompt


def test_inpainting_leaves_every_pixel_outside_the_mask_as_it_was(gateway: httpx.Client) -> None:
    image, mask = noise(301, 199), white_box(301, 199, 100, 40, 220, 160)
    request = {**APPLE, "image": text_of(image), "mask": text_of(mask)}
    result = painted(gateway.post("/v1/inpaint", json=request, headers={"Accept": "image/png"}))
    assert np.array_equal(result[mask == 0], image[mask == 0])
    assert (result[70:130, 130:190] == PAINTED).all()


def test_the_edge_of_what_was_painted_is_soft_inside_the_mask(gateway: httpx.Client) -> None:
    image, mask = np.full((512, 512, 3), 255, np.uint8), white_box(512, 512, 128, 128, 384, 384)
    request = {**APPLE, "image": text_of(image), "mask": text_of(mask)}
    row = painted(gateway.post("/v1/inpaint", json=request, headers={"Accept": "image/png"}))[256, 126:160, 0]
    assert row[:2].tolist() == [255, 255]
    assert (np.diff(row[1:14].astype(int)) < 0).all()
    assert (row[16:] == PAINTED).all()


def test_the_three_mask_conventions_mean_the_same(gateway: httpx.Client) -> None:
    image, white = noise(64, 64), white_box(64, 64, 16, 16, 48, 48)
    transparent = np.dstack([image, 255 - white])
    keep = np.where(white, 0, 1).astype(np.uint8)
    masks = {"white-is-repaint": white, "transparent-is-repaint": transparent, "nonzero-is-keep": keep}
    results = [
        painted(
            gateway.post(
                "/v1/inpaint",
                json={**APPLE, "image": text_of(image), "mask": text_of(mask), "mask_convention": convention},
                headers={"Accept": "image/png"},
            )
        )
        for convention, mask in masks.items()
    ]
    assert np.array_equal(results[0][white == 0], image[white == 0])
    assert (results[0][24:40, 24:40] == PAINTED).all()
    assert all(np.array_equal(results[0], other) for other in results[1:])


def test_several_inpaintings_come_with_their_seeds(gateway: httpx.Client) -> None:
    request = {
        "image": text_of(noise(90, 70)),
        "mask": text_of(white_box(90, 70, 9, 9, 20, 20)),
        "num_images": 2,
    }
    answer = gateway.post("/v1/inpaint", json={**APPLE, **request, "seed": 1}).json()
    assert [(image["seed"], image["width"], image["height"]) for image in answer["images"]] == [
        (1, 90, 70),
        (2, 90, 70),
    ]
    assert answer["parameters"]["mask_convention"] == "white-is-repaint"
    assert "image" not in answer["parameters"]


def test_a_form_sends_picture_and_mask_as_files(gateway: httpx.Client, fakes: Fakes) -> None:
    image, mask = noise(70, 50), white_box(70, 50, 10, 10, 40, 40)
    fields = {
        "prompt": "a red apple",
        "seed": "9",
        "steps": "3",
        "guidance_scale": "2.5",
        "negative_prompt": "",
    }
    files = {"image": ("photo.png", file_of(image)), "mask": ("mask.png", file_of(mask))}
    result = painted(gateway.post("/v1/inpaint", data=fields, files=files, headers={"Accept": "image/png"}))
    assert np.array_equal(result[mask == 0], image[mask == 0])
    (sent,) = fakes["inpainting"].requests
    assert (sent["seed"], sent["num_steps"], sent["unconditional_guidance_scale"]) == (9, 3, 2.5)


@pytest.mark.parametrize("nothing", ["", "null"])
def test_a_forms_field_that_says_nothing_is_as_good_as_none(
    gateway: httpx.Client, fakes: Fakes, nothing: str
) -> None:
    fields = {
        "prompt": nothing,
        **dict.fromkeys(("steps", "guidance_scale", "seed", "size", "sampler", "schedule"), nothing),
    }
    files = {"image": file_of(noise(64, 64)), "mask": file_of(white_box(64, 64, 8, 8, 16, 16))}
    response = gateway.post("/v1/inpaint", data=fields, files=files)
    assert response.status_code == 200, response.text
    assert fakes["inpainting"].requests[0]["num_steps"] == 20
    assert fakes["text_encoder"].requests[0]["inputs"] == nothing


def test_a_large_file_in_a_form_needs_no_disk(gateway: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    image = noise(900, 700)
    files = {
        "image": ("photo.png", file_of(image)),
        "mask": ("m.png", file_of(white_box(900, 700, 0, 0, 9, 9))),
    }
    assert len(files["image"][1]) > 1_500_000
    result = painted(gateway.post("/v1/inpaint", data=APPLE, files=files, headers={"Accept": "image/png"}))
    assert np.array_equal(result[100:], image[100:])


@pytest.mark.parametrize(
    ("fields", "files", "field", "said"),
    [
        ({}, {}, "prompt", "prompt must be a string"),
        ({"prompt": "", "steps": "many"}, {}, "steps", "got a string of 4 characters 'many'"),
        (
            {"prompt": ""},
            {"image": b"x"},
            "mask",
            "mask must be base64 of a PNG, JPEG or WebP file; got nothing",
        ),
        ({}, {"prompt": b"x"}, "prompt", "prompt must be a text field; got a file"),
        ({"prompt": ["a", "b"]}, {"image": b"x"}, "prompt", "prompt must be given once"),
        ({"prompt": "", "colour": "red"}, {"image": b"x", "mask": b"x"}, "colour", "is not a field"),
    ],
)
def test_a_form_at_fault_is_told_like_json(
    gateway: httpx.Client, fields: dict[str, Any], files: dict[str, bytes], field: str, said: str
) -> None:
    sent: list[tuple[str, Any]] = [(name, (name, data)) for name, data in files.items()]
    for name, value in fields.items():
        sent += [(name, (None, text)) for text in (value if isinstance(value, list) else [value])]
    sent = sent or [("ignored", (None, ""))]
    error = refused(gateway.post("/v1/inpaint", files=sent))
    assert said in error["message"]
    assert field in error["message"]


def test_a_form_that_is_broken_is_refused(gateway: httpx.Client) -> None:
    for header in ("multipart/form-data", "multipart/form-data; boundary=x"):
        response = gateway.post("/v1/inpaint", content=b"--y\r\nnonsense", headers={"Content-Type": header})
        assert "multipart/form-data" in refused(response)["message"]


IMAGE, MASK = text_of(noise(64, 64)), text_of(white_box(64, 64, 8, 8, 16, 16))


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"mask": text_of(white_box(63, 64, 1, 1, 9, 9))}, "mask", "of the image's size, 64x64; got 63x64"),
        ({"mask": text_of(np.zeros((64, 64), np.uint8))}, "mask", "must have something to repaint"),
        (
            {"mask_convention": "nonzero-is-keep", "mask": text_of(np.ones((64, 64), np.uint8))},
            "mask",
            "got nothing",
        ),
        ({"mask_convention": "transparent-is-repaint"}, "mask", "must have an alpha channel"),
        (
            {"mask_convention": "black-is-repaint"},
            "mask_convention",
            "white-is-repaint, transparent-is-repaint",
        ),
        ({"image": "%%%"}, "image", "must be base64 of a PNG, JPEG or WebP file"),
        ({"image": base64.b64encode(b"text").decode()}, "image", "must be a PNG, JPEG or WebP file"),
        ({"image": 5}, "image", "got 5"),
        ({"num_resamples": 0}, "num_resamples", "from 1 to 10; got 0"),
        ({"num_resamples": 11}, "num_resamples", "from 1 to 10; got 11"),
    ],
)
def test_a_picture_or_mask_at_fault_is_named(
    gateway: httpx.Client, fakes: Fakes, change: dict[str, Any], field: str, said: str
) -> None:
    error = refused(gateway.post("/v1/inpaint", json={**APPLE, "image": IMAGE, "mask": MASK, **change}))
    assert error["field"] == field
    assert said in error["message"]
    assert fakes["text_encoder"].requests == []


def test_a_picture_of_too_many_pixels_is_refused(start_gateway: StartGateway) -> None:
    gateway = start_gateway(max_image_pixels=8192)
    request = {**APPLE, "image": IMAGE, "mask": MASK}
    assert gateway.post("/v1/inpaint", json={**request, "num_images": 2}).status_code == 200
    error = refused(gateway.post("/v1/inpaint", json={**request, "num_images": 3}))
    assert "at most 2730 pixels; got 64x64 = 4096" in error["message"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_type_is_refused(gateway: httpx.Client, content_type: str) -> None:
    response = gateway.post("/v1/txt2img", content=b'{"prompt": ""}', headers={"Content-Type": content_type})
    error = refused(response, 415)
    assert error["type"] == "UnsupportedMedia"
    assert f"must be application/json; got {content_type or 'none'}" in error["message"]


def test_a_form_is_for_inpainting_only(gateway: httpx.Client) -> None:
    refused(gateway.post("/v1/txt2img", files={"prompt": (None, "a")}), 415)


def test_a_body_that_is_too_long_is_refused_by_its_declared_length(start_gateway: StartGateway) -> None:
    error = refused(
        start_gateway(max_request_bytes=2000).post("/v1/txt2img", json={"prompt": "x" * 3000}), 413
    )
    assert error["type"] == "RequestTooLarge"
    assert "at most 2000 bytes" in error["message"]


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/v1/txt2img", "application/json"), ("/v1/inpaint", "multipart/form-data; boundary=x")],
)
def test_a_body_without_a_declared_length_is_refused_while_it_comes(
    start_gateway: StartGateway, path: str, content_type: str
) -> None:
    address = start_gateway(max_request_bytes=20_000).base_url
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + bytes(30_000)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: {content_type}\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n{len(part):x}\r\n"
    )
    with socket.create_connection((address.host, address.port), timeout=10) as connection:
        connection.sendall(head.encode() + part + b"\r\n")
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_body_that_does_not_arrive_is_given_up(start_gateway: StartGateway) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"{"
        time.sleep(0.5)
        yield b"}"

    gateway = start_gateway(body_timeout=0.1)
    response = gateway.post("/v1/txt2img", content=chunks(), headers={"Content-Type": "application/json"})
    assert refused(response, 408)["type"] == "RequestTooSlow"


def test_more_requests_than_allowed_are_refused_before_they_are_read(
    start_gateway: StartGateway, fakes: Fakes
) -> None:
    gateway = start_gateway(max_concurrent_requests=1)
    fakes["diffusion"].delay = 4
    first = threading.Thread(target=gateway.post, args=("/v1/txt2img",), kwargs={"json": APPLE})
    first.start()
    wait_until(lambda: bool(fakes["diffusion"].requests))
    response = gateway.post("/v1/txt2img", content=b"not even JSON")
    first.join()
    assert refused(response, 429)["type"] == "Overloaded"
    assert int(response.headers["retry-after"]) > 0
    fakes["diffusion"].delay = 0
    assert gateway.post("/v1/txt2img", json=APPLE).status_code == 200


def test_a_client_that_leaves_ends_the_work_of_the_stage(gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["diffusion"].delay = 60
    head = b"POST /v1/txt2img HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
    with socket.create_connection((gateway.base_url.host, gateway.base_url.port)) as connection:
        connection.sendall(head + b'Content-Length: 14\r\n\r\n{"prompt": ""}')
        wait_until(lambda: bool(fakes["diffusion"].requests))
    wait_until(lambda: fakes["diffusion"].left == 1)
    assert fakes["decoder"].requests == []
    fakes["diffusion"].delay = 0
    assert gateway.post("/v1/txt2img", json=APPLE).status_code == 200
