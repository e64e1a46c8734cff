"""diffusers' requests where the decoder is a plain endpoint, or does not do its part."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.responses import JSONResponse

from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import PAINTED, FakeStage, base64_of, paused, serving

LATENT = np.linspace(-1, 1, 256, dtype=np.float32).reshape(1, 4, 8, 8)
"""NCHW"""
Ask = Callable[[httpx.Client], httpx.Response]


def decoded(gateway: httpx.Client, accept: str = "tensor/binary", **parameters: Any) -> httpx.Response:
    asked = {"shape": LATENT.shape, "dtype": "float32", "do_scaling": "True", **parameters}
    return gateway.post(
        "/v1/remote/decode", params=asked, content=LATENT.tobytes(), headers={"Accept": accept}
    )


def test_a_plain_decoder_gets_the_contracts_request(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["decoder"].plain = True
    answer = decoded(fresh_gateway, output_type="pt", partial_postprocess="True")
    assert (answer.status_code, json.loads(answer.headers["shape"])) == (200, [1, 64, 64, 3])
    assert set(answer.content) == {PAINTED}
    (sent,) = fakes["decoder"].requests
    assert sent["inputs"] == base64_of(np.ascontiguousarray(LATENT.transpose(0, 2, 3, 1)))
    assert sent["batch_size"] == 1


def test_values_of_a_plain_decoder_are_computed_from_its_bytes(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    fakes["decoder"].plain = True
    values = np.frombuffer(decoded(fresh_gateway, output_type="pt").content, np.float32)
    assert values.tolist() == pytest.approx([PAINTED / 127.5 - 1] * 3 * 64 * 64)


@pytest.mark.parametrize("plain_first", [True, False])
def test_each_decoders_answer_is_read_as_that_decoder_gives_it(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str], plain_first: bool
) -> None:
    """Where another does it than was asked first."""
    plain, ours = fakes["decoder"], FakeStage("decoder", extras=["image_dtype"])
    plain.plain = True
    given = np.full((1, 64, 64, 3), PAINTED / 127.5 - 1, np.float32)
    ours.responses["/"] = lambda: JSONResponse(base64_of(given))
    (plain if plain_first else ours).responses["/"] = lambda: JSONResponse({}, 500)
    with serving(ours.app()) as url:
        places = (urls["decoder"], url) if plain_first else (url, urls["decoder"])
        gateway = start_gateway(decoder_url="", decoder_urls=";".join(places))
        values = np.frombuffer(decoded(gateway, output_type="pt").content, np.float32)
    assert values.tolist() == pytest.approx([PAINTED / 127.5 - 1] * 3 * 64 * 64)


def encoded(gateway: httpx.Client) -> httpx.Response:
    parameters = {"shape": (1, 3, 64, 64), "dtype": "float32"}
    body = np.zeros((1, 3, 64, 64), np.float32).tobytes()
    return gateway.post("/v1/remote/encode", params=parameters, content=body)


def test_a_decoder_that_does_not_announce_that_it_encodes_is_not_asked_to(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    answer = encoded(fresh_gateway)
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "StageUnavailable")
    assert "Set DECODER_URL to the decoder stage of this project" in answer.json()["error"]["message"]
    assert fakes["decoder"].requests == []


@pytest.mark.parametrize("ask", [decoded, encoded])
def test_an_answer_says_what_the_decoder_did_for_it(
    fresh_gateway: httpx.Client, fakes: Fakes, urls: dict[str, str], ask: Ask
) -> None:
    fakes["decoder"].extras = ["task"]
    fakes["decoder"].header = {"Server-Timing": "queue;dur=1, handler;dur=2;cache_hits=0;cache_misses=1"}
    answer = ask(fresh_gateway)
    assert answer.status_code == 200, answer.text
    decoder, total = answer.headers["server-timing"].split(", ")
    assert decoder.startswith("decoder;dur=")
    for said in (f'desc="{urls["decoder"]}"', "attempts=1", "computing=2.0", "cache_misses=1"):
        assert said in decoder.split(";")
    assert total.startswith("total;dur=")


def test_a_decoder_that_was_passed_over_is_told(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str]
) -> None:
    fakes["decoder"].proxy = paused
    with serving(FakeStage("decoder").app()) as other:
        gateway = start_gateway(decoder_url="", decoder_urls=f"{urls['decoder']};{other}")
        answer = decoded(gateway)
    assert answer.status_code == 200, answer.text
    said = f"The decoder stage at {urls['decoder']} is paused and was passed over."
    assert answer.headers["x-triptych-warning"].startswith(said)


def test_pictures_of_another_size_are_the_decoders_fault(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["decoder"].responses["/"] = lambda: JSONResponse("AAAA")
    answer = decoded(fresh_gateway, output_type="pt")
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["stage"]) == (502, "StageFailed", "decoder")


def test_a_decoder_that_is_off_is_told_with_its_variable(start_gateway: StartGateway) -> None:
    answer = decoded(start_gateway(decoder_url=""))
    assert answer.status_code == 503
    assert "set DECODER_URL" in answer.json()["error"]["message"]
