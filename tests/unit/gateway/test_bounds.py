"""What a request may be before any work is done on it, over real sockets."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from gateway.app import create_app
from gateway.logs import Lines
from gateway.server import serving
from gateway.settings import Settings
from tests.unit.gateway.conftest import Fakes, ServedFakes, clean
from tests.unit.gateway.fakes import wait_until
from tests.unit.gateway.pictures import file_of, noise, text_of

LIMITS = {"header_timeout": 0.4, "body_timeout": 0.4, "max_connections": 30, "max_image_pixels": 10_000}
DRAWING = {
    "/v1/txt2img": "prompt",
    "/v1/images/generations": "prompt",
    "/sdapi/v1/txt2img": "prompt",
    "/hf/text-to-image": "inputs",
    "/hf/all-in-one": "inputs",
}
"""Every dialect's route, and what it calls the prompt."""
PICTURE = text_of(noise(64, 64))


@pytest.fixture(scope="module")
def served(served_fakes: ServedFakes) -> Iterator[httpx.Client]:
    """A gateway served as `python -m gateway` serves it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        clean(monkeypatch)
        urls = {f"{name}_url": url for name, (_, url) in served_fakes.items() if name != "all_in_one"}
        settings = Settings.model_validate({**urls, **LIMITS})
    config = uvicorn.Config(create_app(settings), **{**serving(settings), "port": 0})
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        yield client
    server.should_exit = True
    thread.join()


@pytest.fixture
def gateway(served: httpx.Client, fakes: Fakes) -> httpx.Client:
    return served


def connect(gateway: httpx.Client) -> socket.socket:
    return socket.create_connection((gateway.base_url.host, gateway.base_url.port or 80), timeout=10)


def answer_to(gateway: httpx.Client, sent: bytes) -> bytes:
    """All that is said to these bytes, until the gateway closes."""
    received = b""
    with connect(gateway) as connection:
        try:
            connection.sendall(sent)
            while data := connection.recv(65_536):
                received += data
        except (ConnectionResetError, BrokenPipeError):
            pass
    return received


def test_a_head_that_does_not_come_is_not_waited_for(gateway: httpx.Client) -> None:
    began = time.monotonic()
    assert answer_to(gateway, b"GET /health HTTP/1.1\r\nHost: x\r\n") == b""
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "headers", [b"X: " + b"x" * 100_000, b"\r\n".join(b"X-%d: x" % i for i in range(10_000))]
)
def test_a_head_that_is_too_long_is_refused(gateway: httpx.Client, headers: bytes) -> None:
    said = answer_to(gateway, b"GET /health HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n")
    assert said == b"" or said.startswith(b"HTTP/1.1 400 ")
    assert gateway.get("/health").status_code == 200


def test_a_body_byte_for_byte_gets_no_more_time(gateway: httpx.Client) -> None:
    with connect(gateway) as connection:
        headers = b"Host: x\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
        connection.sendall(b"POST /v1/txt2img HTTP/1.1\r\n" + headers)
        began = time.monotonic()
        connection.setblocking(False)
        said = b""
        while not said and time.monotonic() - began < 5:
            connection.send(b" ")
            time.sleep(0.05)
            try:
                said = connection.recv(1000)
            except BlockingIOError:
                continue
    assert said.startswith(b"HTTP/1.1 408 ")


def test_more_connections_than_there_may_be_are_refused_and_the_others_go_on(gateway: httpx.Client) -> None:
    held = [connect(gateway) for _ in range(40)]
    try:
        assert any(connection.recv(1000).startswith(b"HTTP/1.1 503 ") for connection in held[30:])
    finally:
        for connection in held:
            connection.close()
    wait_until(lambda: gateway.get("/health").status_code == 200)


@pytest.mark.parametrize(
    "path", [*DRAWING, "/v1/jobs", "/sdapi/v1/options", "/sdapi/v1/img2img", "/hf/image-to-image"]
)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"prompt": ' + b"[" * 100_000,
        b'{"inputs": "", "parameters": ' + b'{"a": ' * 100_000,
        b'{"x": [' + b"[]," * 1_000_000 + b"[]]}",
        b'{"x": ' + b",".join(b'"%d": 0' % i for i in range(20_000)) + b"}",
        b'{"x": NaN',
        b"\xff\xfe",
    ],
    ids=["depth", "depth of a field", "depth of objects", "lists", "fields", "no end", "no text"],
)
def test_json_is_bounded_before_it_is_read(
    gateway: httpx.Client, fakes: Fakes, path: str, body: bytes
) -> None:
    began = time.monotonic()
    answer = gateway.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text[:300]
    assert time.monotonic() - began < 5
    assert not fakes["text_encoder"].requests


@pytest.mark.parametrize(("path", "field"), DRAWING.items())
def test_a_prompt_is_of_so_many_characters(
    gateway: httpx.Client, fakes: Fakes, path: str, field: str
) -> None:
    answer = gateway.post(path, json={field: "x" * 2001})
    assert answer.status_code == 422
    assert f"{field} must be a string of at most 2000 characters" in answer.text
    assert not fakes["text_encoder"].requests


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/txt2img", {"prompt": "", "num_images": 10**9}),
        ("/v1/txt2img", {"prompt": "", "size": "99999x99999"}),
        ("/v1/images/generations", {"prompt": "", "n": 11}),
        ("/v1/images/generations", {"prompt": "", "size": "9000x9000"}),
        ("/sdapi/v1/txt2img", {"batch_size": 10**6}),
        ("/sdapi/v1/txt2img", {"n_iter": 100, "batch_size": 100, "width": 8192, "height": 8192}),
        ("/hf/text-to-image", {"inputs": "", "parameters": {"width": 10**9, "height": 10**9}}),
        ("/hf/all-in-one", {"inputs": "", "batch_size": 10**6}),
    ],
)
def test_pictures_are_so_many_and_so_large(
    gateway: httpx.Client, fakes: Fakes, path: str, body: dict[str, Any]
) -> None:
    assert gateway.post(path, json=body).status_code == 422
    assert not fakes["diffusion"].requests


@pytest.mark.parametrize(
    ("path", "shape", "body"),
    [
        ("/v1/remote/decode", (1, 4, 16, 16), bytes(2 * 4 * 16 * 16)),
        ("/v1/remote/encode", (3, 3, 64, 64), bytes(2 * 3 * 3 * 64 * 64)),
        ("/v1/remote/encode", (), file_of(noise(128, 128))),
    ],
    ids=["latents", "values", "a file"],
)
def test_what_a_vae_elsewhere_is_sent_is_so_large(
    gateway: httpx.Client, fakes: Fakes, path: str, shape: tuple[int, ...], body: bytes
) -> None:
    fakes["decoder"].extras = ["task"]
    answer = gateway.post(path, params={"shape": shape, "dtype": "float16"}, content=body)
    assert answer.status_code == 422
    assert "images of at most 10000 pixels together" in answer.text
    assert not fakes["decoder"].requests


def test_no_address_in_a_request_is_fetched(gateway: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.png"
        webhook = {"url": url, "secret": "whsec_" + "A" * 32}
        asked = [
            ("/v1/img2img", {"prompt": "", "image": url}),
            ("/v1/inpaint", {"prompt": "", "image": PICTURE, "mask": url}),
            ("/v1/jobs", {"kind": "txt2img", "request": {"prompt": ""}, "webhook": webhook}),
            ("/v1/images/edits", {"prompt": "", "image": url}),
            ("/sdapi/v1/img2img", {"init_images": [url]}),
            ("/sdapi/v1/img2img", {"init_images": [PICTURE], "mask": url}),
            ("/sdapi/v1/png-info", {"image": url}),
            ("/hf/image-to-image", {"inputs": url}),
            ("/hf/image-to-image", {"inputs": PICTURE, "parameters": {"mask_image": url}}),
        ]
        for path, body in asked:
            assert gateway.post(path, json=body).status_code == 422, path
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    "path", ["/v1/jobs/..%2f..%2fetc%2fpasswd", "/web/..%2f..%2fsettings.py", "/v1/images/files/..%2f.."]
)
def test_no_path_leads_out(gateway: httpx.Client, path: str) -> None:
    assert gateway.get(path).status_code == 404


def test_nothing_of_a_request_begins_a_line_of_the_log(
    gateway: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        gateway.get("/nowhere%0a%7B%22level%22%3A%22forged%22%7D%1b%5b2J" + "x" * 1000)
        wait_until(lambda: any(record.name == "gateway.access" for record in caplog.records))
    record = next(record for record in caplog.records if record.name == "gateway.access")
    line = Lines().format(record)
    assert "\n" not in line and "\x1b" not in line and len(line) < 1000
    assert json.loads(line)["path"].startswith("/nowhere\n")


def test_what_hides_behind_a_picture_does_not_come_out_again(gateway: httpx.Client) -> None:
    """A file that is a page, or an archive, as well as a picture."""
    hidden = b"<script>alert(1)</script>PK\x03\x04"
    files = {"image": file_of(noise(64, 64)) + hidden, "mask": file_of(noise(64, 64)[..., 0]) + hidden}
    answer = gateway.post("/v1/inpaint", data={"prompt": ""}, files=files, headers={"Accept": "image/png"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert b"<script>" not in answer.content and b"PK\x03\x04" not in answer.content
