"""Which replica does a stage's part, and what follows when one does not."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from gateway.breaker import FAILURES
from tests.running import free_port
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import FakeStage, cold, paused, serving, unauthorized, wait_until

Answer = Callable[[], Response]


class Other:
    """A second replica of a stage."""

    def __init__(self, fake: FakeStage, url: str) -> None:
        self.fake = fake
        self.url = url


@contextmanager
def second(stage: str) -> Iterator[Other]:
    fake = FakeStage(stage)
    with serving(fake.app()) as url:
        yield Other(fake, url)


@pytest.fixture
def other() -> Iterator[Other]:
    with second("diffusion") as other:
        yield other


@pytest.fixture
def wide_encoder() -> Iterator[Other]:
    """A text encoder of another model."""
    with second("text_encoder") as other:
        other.fake.shapes = {"context": (77, 16), "unconditional_context": (77, 16)}
        yield other


def made(gateway: httpx.Client, **request: Any) -> dict[str, Any]:
    response = gateway.post("/v1/txt2img", json={"prompt": "a red apple", **request})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def call(answer: dict[str, Any], stage: str = "diffusion") -> dict[str, Any]:
    """The evidence of one stage."""
    found: dict[str, Any] = next(call for call in answer["stages"] if call["stage"] == stage)
    return found


def at_once(gateway: httpx.Client, number: int) -> list[dict[str, Any]]:
    """The answers of so many requests at the same time."""
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: answers.append(made(gateway))) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == number
    return answers


def error(status: int, text: str = "a fault", **headers: str) -> Answer:
    return lambda: JSONResponse({"error": text}, status, headers)


def broken_off() -> Response:
    return Response(b"short", headers={"content-length": "1000"})


def first(*answers: Answer) -> Answer:
    """These answers one after the other; then none."""
    left = iter(answers)
    return lambda: next(left)()


FAILURES_ELSEWHERE = [
    pytest.param(error(503), id="starting"),
    pytest.param(error(502), id="a bad gateway"),
    pytest.param(error(504), id="a gateway's time-out"),
    pytest.param(error(429), id="full"),
    pytest.param(error(500), id="a fault"),
    pytest.param(error(400), id="an endpoint's fault"),
    pytest.param(error(404), id="a wrong path"),
    pytest.param(broken_off, id="broken off"),
    pytest.param(lambda: PlainTextResponse("<html>"), id="a web page"),
    pytest.param(lambda: JSONResponse("AAAA"), id="too short a latent"),
]


@pytest.mark.parametrize("answer", FAILURES_ELSEWHERE)
def test_what_one_replica_fails_at_another_does(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other, answer: Answer
) -> None:
    fakes["diffusion"].responses["/"] = answer
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']},{other.url}")
    evidence = call(made(gateway))
    assert (evidence["replica"], evidence["attempts"]) == (other.url, 2)
    assert len(fakes["diffusion"].requests) == 1
    assert fakes["text_encoder"].paths.count("/") == 1


def test_a_replica_that_is_not_there_is_done_without(
    start_gateway: StartGateway, urls: dict[str, str]
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{nowhere};{urls['diffusion']}")
    assert call(made(gateway))["replica"] == urls["diffusion"]
    assert gateway.get("/ready").status_code == 200


def test_a_repeated_stage_is_asked_the_same_with_the_same_seed(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    fakes["diffusion"].responses["/"] = error(500)
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']},{other.url}")
    answer = made(gateway)
    assert fakes["diffusion"].requests == other.fake.requests
    assert answer["images"][0]["seed"] == other.fake.requests[0]["seed"]


def test_what_the_user_did_wrong_is_not_tried_elsewhere(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    fakes["diffusion"].responses["/"] = error(422, "num_steps must be a whole number from 1 to 9; got 20")
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']},{other.url}")
    assert gateway.post("/v1/txt2img", json={"prompt": ""}).status_code == 422
    assert other.fake.requests == []


def test_a_single_replica_is_asked_again_after_a_while(
    gateway: httpx.Client, fakes: Fakes, urls: dict[str, str]
) -> None:
    whole = JSONResponse(fakes["diffusion"].answer({"batch_size": 1}))
    fakes["diffusion"].responses["/"] = first(error(503), broken_off, lambda: whole)
    evidence = call(made(gateway))
    assert (evidence["replica"], evidence["attempts"]) == (urls["diffusion"], 3)
    assert evidence["seconds_waiting"] > 0
    assert evidence["seconds"] >= evidence["seconds_waiting"]


@pytest.mark.parametrize("status", [500, 400, 401, 404])
def test_a_single_replica_is_not_asked_again_for_what_would_fail_again(
    gateway: httpx.Client, fakes: Fakes, status: int
) -> None:
    fakes["diffusion"].responses["/"] = error(status)
    gateway.post("/v1/txt2img", json={"prompt": ""})
    assert len(fakes["diffusion"].requests) == 1


def test_attempts_have_an_end_and_the_error_tells_them(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str]
) -> None:
    fakes["diffusion"].responses["/"] = error(503)
    answer = start_gateway(stage_attempts=3).post("/v1/txt2img", json={"prompt": ""})
    assert answer.status_code == 503
    assert len(fakes["diffusion"].requests) == 3
    assert f"It was tried 3 times: {urls['diffusion']}." in answer.json()["error"]["message"]


def test_the_first_group_does_the_work_and_the_next_what_it_cannot(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    fakes["diffusion"].delay = 0.3
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']};{other.url}")
    assert {call(answer)["replica"] for answer in at_once(gateway, 4)} == {urls["diffusion"]}
    fakes["diffusion"].responses["/"] = error(503)
    assert {call(answer)["replica"] for answer in at_once(gateway, 4)} == {other.url}


def test_equals_share_the_work(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    fakes["diffusion"].delay = other.fake.delay = 0.5
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']},{other.url}")
    places = [call(answer)["replica"] for answer in at_once(gateway, 6)]
    assert sorted(places) == sorted([urls["diffusion"], other.url] * 3)


def test_an_equal_that_others_keep_busy_is_spared(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    fakes["diffusion"].header = {"X-Queue-Size": "3"}
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']},{other.url}")
    places = [call(made(gateway))["replica"] for _ in range(3)]
    assert places == [urls["diffusion"], other.url, other.url]
    (stage,) = [stage for stage in gateway.get("/v1/stages").json() if stage["stage"] == "diffusion"]
    assert [replica["requests"] for replica in stage["replicas"]] == [3, 0]


def test_a_replica_that_fails_again_and_again_is_left_alone_and_used_when_it_is_back(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    fakes["diffusion"].responses["/"] = error(503)
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']};{other.url}")
    assert [call(made(gateway))["attempts"] for _ in range(FAILURES + 2)] == [2] * FAILURES + [1] * 2
    fakes["diffusion"].responses.clear()
    wait_until(lambda: call(made(gateway))["replica"] == urls["diffusion"])
    assert {call(made(gateway))["replica"] for _ in range(3)} == {urls["diffusion"]}


@pytest.mark.parametrize(
    ("answer", "state"), [(paused, "paused"), (unauthorized, "unauthorized"), (cold, "waking")]
)
def test_a_replica_that_cannot_is_passed_over_with_a_warning(
    start_gateway: StartGateway,
    fakes: Fakes,
    urls: dict[str, str],
    other: Other,
    answer: Answer,
    state: str,
) -> None:
    fakes["diffusion"].proxy = answer
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']};{other.url}")
    for _ in range(2):
        result = made(gateway)
        assert call(result)["replica"] == other.url
        assert result["warnings"] == [
            f"The diffusion stage at {urls['diffusion']} is {state} and was passed over. "
            "GET /v1/stages says more."
        ]
    assert len(fakes["diffusion"].paths) == 1


def test_a_cold_endpoint_is_waited_for_while_it_shows_that_it_wakes(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str]
) -> None:
    gateway = start_gateway()
    fakes["diffusion"].plain = True
    fakes["diffusion"].proxy = cold
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: answers.append(made(gateway))) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: state_of(gateway) == "waking")
    assert gateway.get("/ready").status_code == 200
    fakes["diffusion"].proxy = lambda: None
    for thread in threads:
        thread.join()
    assert [call(answer)["replica"] for answer in answers] == [urls["diffusion"]] * 3
    assert all(call(answer)["seconds_computing"] is None for answer in answers)
    held = [headers for headers in fakes["diffusion"].headers if "x-scale-up-timeout" in headers]
    assert 0 < int(held[0]["x-scale-up-timeout"]) <= 300
    assert state_of(gateway) == "warm"


def state_of(gateway: httpx.Client, stage: str = "diffusion") -> str:
    stages = gateway.get("/v1/stages").json()
    found: str = next(entry for entry in stages if entry["stage"] == stage)["replicas"][0]["state"]
    return found


def test_an_endpoint_that_falls_asleep_between_two_requests_is_waited_for(
    start_gateway: StartGateway, fakes: Fakes
) -> None:
    gateway = start_gateway()
    fakes["diffusion"].plain = True
    made(gateway)
    left = iter(range(3))
    fakes["diffusion"].proxy = lambda: cold() if next(left, None) is not None else None
    evidence = call(made(gateway))
    assert evidence["attempts"] == 2
    assert evidence["seconds_waiting"] >= 0.5


def test_a_cold_fallback_is_waited_for_where_the_first_choice_is_gone(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']};{other.url}")
    fakes["diffusion"].proxy = error(503)
    other.fake.plain = True
    left = iter(range(4))
    other.fake.proxy = lambda: cold() if next(left, None) is not None else None
    assert call(made(gateway))["replica"] == other.url


def test_no_endpoint_is_woken_for_a_request_that_another_stage_has_failed(
    start_gateway: StartGateway, fakes: Fakes
) -> None:
    fakes["text_encoder"].proxy = lambda: JSONResponse({"error": "who?"}, 401)
    fakes["diffusion"].plain = True
    fakes["diffusion"].proxy = cold
    gateway = start_gateway()
    assert gateway.post("/v1/txt2img", json={"prompt": ""}).status_code == 503
    asked = len(fakes["diffusion"].headers)
    time.sleep(2)
    assert len(fakes["diffusion"].headers) == asked


def test_one_that_does_not_wake_is_given_up(start_gateway: StartGateway, fakes: Fakes) -> None:
    fakes["diffusion"].proxy = cold
    answer = start_gateway(wake_timeout=1).post("/v1/txt2img", json={"prompt": ""})
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "StageUnavailable")
    assert "did not wake within 1 s" in answer.json()["error"]["message"]
    assert "raise WAKE_TIMEOUT" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(error(504), id="504"),
        pytest.param(error(502), id="502"),
        pytest.param(broken_off, id="cut off"),
    ],
)
def test_a_proxys_time_limit_is_told_apart_and_not_met_twice(
    start_gateway: StartGateway, fakes: Fakes, answer: Answer
) -> None:
    gateway = start_gateway(proxy_timeout=0.4)
    fakes["diffusion"].plain = True
    fakes["diffusion"].delay = 0.5
    fakes["diffusion"].responses["/"] = answer
    response = gateway.post("/v1/txt2img", json={"prompt": ""})
    assert (response.status_code, response.json()["error"]["type"]) == (504, "StageTimeout")
    assert "A proxy in between gives up after that long" in response.json()["error"]["message"]
    assert len(fakes["diffusion"].requests) == 1


def test_a_stage_of_ours_that_is_gone_after_a_long_time_met_no_proxy(
    start_gateway: StartGateway, fakes: Fakes
) -> None:
    gateway = start_gateway(proxy_timeout=0.1, stage_attempts=1)
    fakes["diffusion"].delay = 0.2
    fakes["diffusion"].responses["/"] = broken_off
    response = gateway.post("/v1/txt2img", json={"prompt": ""})
    assert (response.status_code, response.json()["error"]["type"]) == (502, "StageFailed")
    assert "broke off" in response.json()["error"]["message"]


def test_the_users_mistake_is_told_though_another_replica_was_down(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    fakes["diffusion"].responses["/"] = error(503)
    other.fake.responses["/"] = error(422, "num_steps must be a whole number from 1 to 9; got 20")
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']},{other.url}")
    assert gateway.post("/v1/txt2img", json={"prompt": ""}).status_code == 422
    assert len(other.fake.requests) == 1


def test_the_time_of_a_request_shrinks_from_stage_to_stage(start_gateway: StartGateway, fakes: Fakes) -> None:
    gateway = start_gateway(request_timeout=1)
    fakes["text_encoder"].delay = 0.6
    fakes["diffusion"].delay = 0.8
    response = gateway.post("/v1/txt2img", json={"prompt": ""})
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["stage"]) == (504, "StageTimeout", "diffusion")
    assert "REQUEST_TIMEOUT" in error["message"]


def test_a_stage_that_hangs_does_not_outlast_the_time_of_a_request(
    start_gateway: StartGateway, fakes: Fakes
) -> None:
    fakes["diffusion"].info_delay = 4
    began = time.monotonic()
    response = start_gateway(request_timeout=0.5).post("/v1/txt2img", json={"prompt": ""})
    assert time.monotonic() - began < 3
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["stage"]) == (504, "StageTimeout", "diffusion")
    assert "REQUEST_TIMEOUT" in error["message"]


def test_a_replica_of_another_model_is_refused_with_both_shapes(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    other.fake.shapes = {"context": (77, 16)}
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{other.url};{urls['diffusion']}")
    result = made(gateway)
    assert call(result)["replica"] == urls["diffusion"]
    assert "is misplaced and was passed over" in result["warnings"][0]
    (stage,) = [stage for stage in gateway.get("/v1/stages").json() if stage["stage"] == "diffusion"]
    assert "[77, 16]" in stage["replicas"][0]["error"]
    assert "[77, 8]" in stage["replicas"][0]["error"]
    assert other.fake.requests == []


def test_an_encoder_of_another_model_is_passed_over_and_no_sound_denoiser_is(
    start_gateway: StartGateway, urls: dict[str, str], other: Other, wide_encoder: Other
) -> None:
    gateway = start_gateway(
        text_encoder_url="",
        text_encoder_urls=f"{wide_encoder.url};{urls['text_encoder']}",
        diffusion_url="",
        diffusion_urls=f"{urls['diffusion']};{other.url}",
    )
    result = made(gateway)
    assert call(result, "text_encoder")["replica"] == urls["text_encoder"]
    assert call(result)["replica"] == urls["diffusion"]
    assert [warning.partition(" and ")[0] for warning in result["warnings"]] == [
        f"The text_encoder stage at {wide_encoder.url} is misplaced"
    ]


def test_where_no_replica_fits_none_is_called_misplaced(
    start_gateway: StartGateway, urls: dict[str, str], other: Other, wide_encoder: Other
) -> None:
    gateway = start_gateway(
        text_encoder_url=wide_encoder.url,
        diffusion_url="",
        diffusion_urls=f"{urls['diffusion']};{other.url}",
    )
    answer = gateway.post("/v1/txt2img", json={"prompt": ""})
    assert answer.status_code == 502
    assert "they run different models" in answer.json()["error"]["message"]
    assert state_of(gateway) == state_of(gateway, "text_encoder") == "warm"


def test_an_endpoint_is_not_woken_to_hear_whom_it_fits(
    start_gateway: StartGateway,
    urls: dict[str, str],
    other: Other,
    wide_encoder: Other,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.replicas.is_hugging_face", lambda url: url == other.url)
    gateway = start_gateway(
        text_encoder_url="",
        text_encoder_urls=f"{wide_encoder.url};{urls['text_encoder']}",
        diffusion_url="",
        diffusion_urls=f"{urls['diffusion']};{other.url}",
    )
    assert call(made(gateway))["replica"] == urls["diffusion"]
    assert other.fake.paths == []


def test_a_stand_in_of_another_model_is_refused_with_both_shapes(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    fakes["diffusion"].responses["/"] = error(500)
    other.fake.shapes = {"context": (77, 16)}
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']};{other.url}")
    answer = gateway.post("/v1/txt2img", json={"prompt": ""})
    assert (answer.status_code, answer.json()["error"]["replica"]) == (502, other.url)
    said = "has a context of shape [77, 16], where another replica has [77, 8]"
    assert said in answer.json()["error"]["message"]
    assert other.fake.requests == []


def test_an_answer_says_honestly_what_a_plain_stand_in_did_not_obey(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    other.fake.plain = True
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']};{other.url}")
    assert made(gateway, seed=5)["images"][0]["seed"] == 5
    fakes["diffusion"].responses["/"] = error(500)
    result = made(gateway, seed=5)
    assert result["images"][0]["seed"] is None
    assert result["warnings"][0].startswith("seed was sent to the diffusion stage")
    assert result["parameters"]["model"] is None


def test_a_token_goes_to_its_own_address_only(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], other: Other
) -> None:
    fakes["diffusion"].responses["/"] = error(500)
    gateway = start_gateway(
        diffusion_url="", diffusion_urls=f"{urls['diffusion']},{other.url}", diffusion_tokens="one,two"
    )
    made(gateway)
    assert {headers["authorization"] for headers in fakes["diffusion"].headers} == {"Bearer one"}
    assert {headers["authorization"] for headers in other.fake.headers} == {"Bearer two"}


def test_an_answer_tells_what_its_stages_waited_and_computed(
    start_gateway: StartGateway, fakes: Fakes
) -> None:
    fakes["diffusion"].header = {"Server-Timing": "queue;dur=100, handler;dur=200"}
    fakes["diffusion"].delay = 0.5
    response = start_gateway().post("/v1/txt2img", json={"prompt": ""})
    evidence = call(response.json())
    assert (evidence["seconds_waiting"], evidence["seconds_computing"]) == pytest.approx((0.1, 0.2), abs=0.05)
    parts = ("seconds_waiting", "seconds_computing", "seconds_on_the_wire")
    assert sum(evidence[part] for part in parts) == pytest.approx(evidence["seconds"], abs=0.001)
    assert call(response.json(), "decoder")["seconds_computing"] is None
    entries = response.headers["server-timing"].split(", ")
    assert [entry.split(";")[0] for entry in entries] == ["text_encoder", "diffusion", "decoder", "total"]
    assert "attempts=1" in entries[1]
    assert "computing=200.0" in entries[1]
    assert "computing" not in entries[2]


def test_an_answer_tells_what_its_stages_had_kept(start_gateway: StartGateway, fakes: Fakes) -> None:
    fakes["diffusion"].header = {"Server-Timing": "handler;dur=200;cache_hits=1;cache_misses=3"}
    response = start_gateway().post("/v1/txt2img", json={"prompt": ""})
    evidence = call(response.json())
    assert (evidence["cache_hits"], evidence["cache_misses"]) == (1, 3)
    assert call(response.json(), "decoder")["cache_hits"] is None
    assert "cache_hits=1;cache_misses=3" in response.headers["server-timing"].split(", ")[1]


@pytest.fixture
def anime(start_gateway: StartGateway, other: Other) -> httpx.Client:
    """A gateway with another diffusion model beside the standard one."""
    return start_gateway(models={"anime": {"diffusion_urls": other.url}})


def test_a_model_is_chosen_by_its_name(anime: httpx.Client, urls: dict[str, str], other: Other) -> None:
    assert call(made(anime, model="Anime"))["replica"] == other.url
    assert call(made(anime))["replica"] == urls["diffusion"]
    places = [call["replica"] for call in made(anime, model="anime")["stages"]]
    assert places == [urls["text_encoder"], other.url, urls["decoder"]]


def test_a_model_that_is_not_there_is_told_with_those_that_are(
    anime: httpx.Client, gateway: httpx.Client
) -> None:
    error = anime.post("/v1/txt2img", json={"prompt": "", "model": "manga"})
    assert (error.status_code, error.json()["error"]["field"]) == (422, "model")
    said = "model must be one of anime, or null for the standard one; got 'manga'."
    assert error.json()["error"]["message"] == said
    error = gateway.post("/v1/txt2img", json={"prompt": "", "model": "manga"})
    assert error.json()["error"]["message"] == "model must be null for the standard one; got 'manga'."


def test_models_show_among_the_stages(anime: httpx.Client, other: Other) -> None:
    shown = [(stage["stage"], stage["model"]) for stage in anime.get("/v1/stages").json()]
    assert shown == [
        ("text_encoder", None),
        ("diffusion", None),
        ("inpainting", None),
        ("decoder", None),
        ("diffusion", "anime"),
    ]


def test_a_model_in_parts_is_not_asked_of_the_stage_for_everything(
    start_gateway: StartGateway, urls: dict[str, str], other: Other
) -> None:
    gateway = start_gateway(all_in_one_url=urls["all_in_one"], models={"anime": {"diffusion_url": other.url}})
    assert [call["stage"] for call in made(gateway)["stages"]] == ["all_in_one"]
    assert call(made(gateway, model="anime"))["replica"] == other.url
