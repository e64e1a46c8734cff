"""The fake endpoint answers as the contract says that a real one does."""

import base64
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient

from tests.fake_cloud import TOKEN, FakeEndpoint, fake_endpoint

HANDLER = """
    import sys
    import time

    import beside
    from PIL import Image


    class EndpointHandler:
        def __init__(self, path=""):
            self._path = path

        def __call__(self, data):
            what = data["inputs"]
            if what == "wait":
                time.sleep(data["seconds"])
            if what == "fail":
                raise MemoryError("out of memory")
            if what == "path":
                return {"given": self._path, "path": sys.path, "beside": beside.NAME}
            if what == "picture":
                return Image.new("RGB", (8, 8), "red")
            if isinstance(what, Image.Image):
                return list(what.size)
            return data if what == "all" else str(what)
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "handler.py").write_text(textwrap.dedent(HANDLER))
    (folder / "beside.py").write_text('NAME = "beside"')
    return folder


@pytest.fixture(scope="module")
def shared(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEndpoint]:
    with fake_endpoint(bundle, tmp_path_factory.mktemp("endpoint") / "home") as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(shared: FakeEndpoint) -> Iterator[FakeEndpoint]:
    """The one of this module, running; what a test changes of it is set back."""
    yield shared
    shared.resume()
    shared.wake_seconds, shared.cold_status = 0.0, 503
    shared.cut_seconds, shared.cut_status = None, 504


def post(endpoint: FakeEndpoint, inputs: Any, path: str = "/", **headers: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers}
    body = inputs if isinstance(inputs, bytes) else httpx.Request("POST", "http://x", json=inputs).content
    return httpx.post(endpoint.url + path, content=body, headers=headers, timeout=30)


def get(endpoint: FakeEndpoint, path: str) -> httpx.Response:
    return httpx.get(endpoint.url + path, headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.mark.parametrize("path", ["/", "/health"])
def test_it_says_that_it_is_well(endpoint: FakeEndpoint, path: str) -> None:
    answer = get(endpoint, path)
    assert (answer.status_code, answer.text) == (200, "Ok")
    assert answer.headers["content-type"].startswith("text/plain")


def test_it_counts_what_runs_and_waits(endpoint: FakeEndpoint) -> None:
    assert get(endpoint, "/metrics").text == "inf_batch_current_size 0\ninf_queue_size 0\n"
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(post, endpoint, {"inputs": "wait", "seconds": 0.3}) for _ in range(3)]
        time.sleep(0.15)
        assert get(endpoint, "/metrics").text == "inf_batch_current_size 1\ninf_queue_size 2\n"
        assert [call.result().status_code for call in calls] == [200] * 3


def test_one_call_runs_at_a_time(endpoint: FakeEndpoint) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: post(endpoint, {"inputs": "wait", "seconds": 0.2}), range(2)))
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(("path", "status"), [("/info", 404), ("/ready", 404), ("/v1/models", 404)])
def test_other_routes_are_plain_text_404(endpoint: FakeEndpoint, path: str, status: int) -> None:
    answer = get(endpoint, path)
    assert (answer.status_code, answer.text) == (status, "Not Found")
    assert answer.headers["content-type"].startswith("text/plain")


def test_another_method_is_plain_text_405(endpoint: FakeEndpoint) -> None:
    answer = post(endpoint, {"inputs": 1}, "/health")
    assert (answer.status_code, answer.text) == (405, "Method Not Allowed")


@pytest.mark.parametrize("path", ["/", "/predict"])
def test_a_string_is_answered_with_its_json_quotes(endpoint: FakeEndpoint, path: str) -> None:
    answer = post(endpoint, {"inputs": "QUJD"}, path)
    assert (answer.status_code, answer.text) == (200, '"QUJD"')
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=UTF-8"])
def test_json_is_taken_by_these_names(endpoint: FakeEndpoint, content_type: str) -> None:
    assert post(endpoint, {"inputs": "a"}, **{"Content-Type": content_type}).status_code == 200


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/json;charset=UTF-8", "text/plain", ""]
)
def test_any_other_spelling_is_a_400(endpoint: FakeEndpoint, content_type: str) -> None:
    answer = post(endpoint, {"inputs": "a"}, **{"Content-Type": content_type})
    assert answer.status_code == 400
    assert "Content type" in answer.json()["error"]


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_json_is_answered_to_these(endpoint: FakeEndpoint, accept: str) -> None:
    assert post(endpoint, {"inputs": "a"}, Accept=accept).json() == "a"


@pytest.mark.parametrize("accept", ["application/json, text/plain, */*", "image/*", "text/html"])
def test_any_other_accept_is_a_400(endpoint: FakeEndpoint, accept: str) -> None:
    answer = post(endpoint, {"inputs": "a"}, Accept=accept)
    assert answer.status_code == 400
    assert "Accept type" in answer.json()["error"]


def test_pictures_come_and_go_by_their_media_types(endpoint: FakeEndpoint) -> None:
    client = InferenceClient(model=endpoint.url, token=TOKEN)
    picture = client.text_to_image("picture")
    assert picture.size == (8, 8)
    assert post(endpoint, {"inputs": "a"}, Accept="image/png").status_code == 400
    png = post(endpoint, {"inputs": "picture"}, Accept="image/png").content
    assert post(endpoint, png, **{"Content-Type": "image/png"}).json() == [8, 8]
    assert base64.b64decode(post(endpoint, {"inputs": "picture"}).json()) == png


def test_the_body_must_have_inputs(endpoint: FakeEndpoint) -> None:
    answer = post(endpoint, {"input": "a"})
    assert answer.status_code == 400
    assert "inputs" in answer.json()["error"]


@pytest.mark.parametrize("body", [b"{", b"", b"3", b'{"inputs": NaN}'])
def test_a_body_that_is_no_json_object_is_a_400(endpoint: FakeEndpoint, body: bytes) -> None:
    assert post(endpoint, body).status_code == 400


def test_whatever_the_handler_raises_is_a_400_with_its_text(endpoint: FakeEndpoint) -> None:
    answer = post(endpoint, {"inputs": "fail"})
    assert (answer.status_code, answer.json()) == (400, {"error": "out of memory"})


def test_query_parameters_become_parameters_where_the_body_has_none(endpoint: FakeEndpoint) -> None:
    answer = post(endpoint, {"inputs": "all"}, "/?steps=25&fast=true&name=x")
    assert answer.json() == {"inputs": "all", "parameters": {"steps": 25, "fast": True, "name": "x"}}
    own = {"inputs": "all", "parameters": {"steps": 1}}
    assert post(endpoint, own, "/?steps=25").json() == own


def test_the_bundle_is_first_on_a_path_that_has_nothing_of_ours(endpoint: FakeEndpoint, bundle: Path) -> None:
    answer = post(endpoint, {"inputs": "path"}).json()
    assert answer["given"] == answer["path"][0] == str(bundle)
    assert answer["beside"] == "beside"
    root = str(Path(__file__).parents[2])
    ours = [path for path in answer["path"] if path.startswith(root) and "site-packages" not in path]
    assert ours == []


@pytest.mark.parametrize("authorization", ["Bearer hf_of_another", "", TOKEN])
def test_a_wrong_token_is_a_401_and_wakes_nothing(endpoint: FakeEndpoint, authorization: str) -> None:
    endpoint.scale_to_zero()
    answer = post(endpoint, {"inputs": "a"}, Authorization=authorization)
    assert (answer.status_code, answer.json()) == (401, {"error": "401 Unauthorized", "code": "UNAUTHORIZED"})
    assert endpoint.state == "scaled to zero"


@pytest.mark.parametrize("status", [503, 502])
def test_scaled_to_zero_it_refuses_at_once_and_begins_to_wake(endpoint: FakeEndpoint, status: int) -> None:
    endpoint.cold_status, endpoint.wake_seconds = status, 0.3
    endpoint.scale_to_zero()
    began = time.monotonic()
    answer = post(endpoint, {"inputs": "a"})
    assert time.monotonic() - began < 0.3
    assert answer.status_code == status
    assert "Retry-After" not in answer.headers
    if status == 503:
        assert answer.text == '{"error":"503 Service Unavailable","code":"SERVICE_UNAVAILABLE"}'
    time.sleep(0.4)
    assert post(endpoint, {"inputs": "a"}).status_code == 200


def test_the_proxy_holds_a_request_that_says_how_long_it_may_take_to_wake(endpoint: FakeEndpoint) -> None:
    endpoint.wake_seconds = 0.3
    endpoint.scale_to_zero()
    began, before = time.monotonic(), endpoint.wakes
    assert post(endpoint, {"inputs": "a"}, **{"X-Scale-Up-Timeout": "600"}).json() == "a"
    assert time.monotonic() - began >= 0.3
    assert endpoint.wakes == before + 1


def test_the_proxy_holds_it_no_longer_than_that(endpoint: FakeEndpoint) -> None:
    endpoint.wake_seconds = 1
    endpoint.scale_to_zero()
    began = time.monotonic()
    assert post(endpoint, {"inputs": "a"}, **{"X-Scale-Up-Timeout": "0.2"}).status_code == 503
    assert 0.2 <= time.monotonic() - began < 1


def test_an_endpoint_that_was_never_up_starts_its_server_when_it_is_woken(
    bundle: Path, tmp_path: Path
) -> None:
    with fake_endpoint(bundle, tmp_path / "home", state="scaled to zero") as endpoint:
        assert not endpoint.log.exists()
        assert post(endpoint, {"inputs": "a"}, **{"X-Scale-Up-Timeout": "60"}).json() == "a"


def test_paused_it_refuses_and_never_wakes(endpoint: FakeEndpoint) -> None:
    endpoint.pause()
    for _ in range(2):
        answer = post(endpoint, {"inputs": "a"}, **{"X-Scale-Up-Timeout": "600"})
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("Bad Request: The endpoint is paused, ")
        assert answer.json()["code"] == "BAD_REQUEST"
    endpoint.resume()
    assert post(endpoint, {"inputs": "a"}).status_code == 200


def test_a_proxy_without_patience_says_so(endpoint: FakeEndpoint) -> None:
    endpoint.cut_seconds = 0.2
    assert post(endpoint, {"inputs": "a"}).status_code == 200
    assert post(endpoint, {"inputs": "wait", "seconds": 0.5}).status_code == 504


def test_a_proxy_without_patience_or_words_cuts_the_connection(endpoint: FakeEndpoint) -> None:
    endpoint.cut_seconds, endpoint.cut_status = 0.2, None
    with pytest.raises(httpx.RemoteProtocolError):
        post(endpoint, {"inputs": "wait", "seconds": 0.5})


def test_it_remembers_what_it_was_asked(endpoint: FakeEndpoint) -> None:
    post(endpoint, {"inputs": "a"}, "/predict")
    last = endpoint.received[-1]
    assert (last.method, last.path, last.status) == ("POST", "/predict", 200)
    assert last.headers["Content-Type"] == "application/json"


def test_a_bundle_that_cannot_be_loaded_shows_its_log(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("import nothing_of_this_name")
    with (
        pytest.raises(AssertionError, match="nothing_of_this_name"),
        fake_endpoint(tmp_path, tmp_path / "home"),
    ):
        pass
