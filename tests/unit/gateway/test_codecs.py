"""Safetensors for stages that announce them, the contract's base64 for all others."""

import json
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.responses import Response

from gateway.codecs import WireChoice, decode, encode
from gateway.info import Info
from tests.unit.gateway.conftest import Fakes
from tests.unit.gateway.fakes import CONTEXT, FakeStage, base64_of
from tests.unit.gateway.pictures import file_of, noise
from triptych.wire import FIELDS, IMAGE_FORMAT, MEDIA_TYPE, InvalidField, Tensors, pack, unpack

WIRE = {
    "content_types": ["application/json", MEDIA_TYPE],
    "dtypes": ["float32", "float16", "uint8"],
    "image_formats": ["png", "webp"],
}
CONTEXTS = np.arange(2 * 3, dtype=np.float32).reshape(1, 2, 3) / 7
LATENT = np.linspace(-3, 3, 256, dtype=np.float32).reshape(1, 8, 8, 4)
PAYLOAD = {
    "inputs": Tensors(context=CONTEXTS, unconditional_context=-CONTEXTS),
    "batch_size": 1,
    "num_steps": 25,
    "unconditional_guidance_scale": 7.5,
    "seed": 2**63 - 1,
}


def info(**more: Any) -> Info:
    return Info.model_validate({**FakeStage("diffusion").info(), **more})


OURS, PLAIN = info(wire=WIRE), info()


@pytest.mark.parametrize(
    ("announced", "choice"), [(None, WireChoice()), (PLAIN, WireChoice()), (OURS, WireChoice(False))]
)
def test_a_plain_endpoint_gets_the_contract_byte_for_byte(announced: Info | None, choice: WireChoice) -> None:
    body = encode(PAYLOAD, announced, choice)
    texts = [base64_of(CONTEXTS), base64_of(-CONTEXTS)]
    assert body.content == json.dumps({**PAYLOAD, "inputs": texts}).encode()
    assert (body.content_type, body.accept) == ("application/json", "*/*")


def test_one_tensor_is_a_string_by_the_contract() -> None:
    payload = {"inputs": Tensors(latent=LATENT), "batch_size": 1}
    assert json.loads(encode(payload, None, WireChoice()).content)["inputs"] == base64_of(LATENT)


def test_a_stage_that_announces_safetensors_gets_them_with_the_fields_beside() -> None:
    body = encode(PAYLOAD, OURS, WireChoice())
    tensors, metadata = unpack("body", body.content)
    assert (body.content_type, body.accept) == (MEDIA_TYPE, f"{MEDIA_TYPE};dtype=float32")
    assert np.array_equal(tensors["context"], CONTEXTS)
    assert np.array_equal(tensors["unconditional_context"], -CONTEXTS)
    assert json.loads(metadata[FIELDS]) == {key: PAYLOAD[key] for key in PAYLOAD if key != "inputs"}


def test_a_prompt_is_json_and_its_answer_safetensors() -> None:
    body = encode({"inputs": "a cat", "batch_size": 1}, OURS, WireChoice())
    assert (json.loads(body.content)["inputs"], body.content_type) == ("a cat", "application/json")
    assert body.accept.startswith(MEDIA_TYPE)


def test_half_precision_and_files_travel_where_both_sides_agree_alone() -> None:
    choice = WireChoice(dtype="float16", images="png")
    body = encode(PAYLOAD, OURS, choice)
    assert body.accept == f"{MEDIA_TYPE};dtype=float16;image_format=png"
    assert unpack("body", body.content)[0]["context"].dtype == np.float16
    older = info(wire={"content_types": [MEDIA_TYPE]})
    body = encode(PAYLOAD, older, choice)
    assert body.accept == f"{MEDIA_TYPE};dtype=float32"
    assert unpack("body", body.content)[0]["context"].dtype == np.float32


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", json.dumps(base64_of(LATENT)).encode()),
        (f"{MEDIA_TYPE}; charset=binary", pack({"latent": LATENT}, {})),
    ],
)
def test_an_answer_is_read_as_what_it_says_that_it_is(content_type: str, body: bytes) -> None:
    answer = decode(content_type, body)
    assert np.array_equal(answer.tensor("latent", np.float32, LATENT.shape), LATENT)
    assert np.array_equal(answer.tensor("latent", np.float32, None).ravel(), LATENT.ravel())
    with pytest.raises(InvalidField, match="latent must be"):
        answer.tensor("latent", np.float32, (1, 16, 16, 4))


@pytest.mark.parametrize("size", [(6, 4), None])
def test_pictures_come_raw_or_as_files(size: tuple[int, int] | None) -> None:
    pictures = np.stack([noise(6, 4), 255 - noise(6, 4)])
    raw = decode(MEDIA_TYPE, pack({"image": pictures}, {}))
    assert np.array_equal(raw.images(2, size), pictures)
    assert np.array_equal(as_files(*pictures).images(2, (6, 4)), pictures)


def as_files(*pictures: np.ndarray[Any, Any], kind: str = "png") -> Any:
    files = {
        f"image.{index}": np.frombuffer(file_of(pixels, kind.upper()), np.uint8)
        for index, pixels in enumerate(pictures)
    }
    return decode(MEDIA_TYPE, pack(files, {IMAGE_FORMAT: kind}))


@pytest.mark.parametrize(
    ("files", "size", "got"),
    [
        (as_files(noise(6, 4)), (4, 6), r"one of \(6, 4\)"),
        (as_files(noise(6, 4)), None, r"one of \(6, 4\)"),
        (as_files(noise(6, 4), kind="gif"), (4, 6), r"one of \(6, 4\)"),
        (as_files(), (6, 4), "nothing"),
        (
            decode(MEDIA_TYPE, pack({"image.0": np.zeros(9, np.uint8)}, {IMAGE_FORMAT: "png"})),
            (6, 4),
            "one that cannot be decoded",
        ),
        (
            decode(MEDIA_TYPE, pack({"image.0": np.zeros(9, np.uint8)}, {IMAGE_FORMAT: "no format"})),
            (6, 4),
            "one that cannot be decoded",
        ),
    ],
)
def test_a_file_of_another_size_or_kind_is_refused_before_its_pixels_are_read(
    files: Any, size: tuple[int, int] | None, got: str
) -> None:
    with pytest.raises(InvalidField, match=got):
        files.images(1, size)


def announce(fake: FakeStage, body: bytes, media_type: str = MEDIA_TYPE) -> None:
    """Makes the text encoder, whose requests are JSON in any case, one that speaks safetensors."""
    fake.responses["/info"] = lambda: Response(
        json.dumps({**FakeStage("text_encoder").info(), "wire": WIRE}), media_type="application/json"
    )
    fake.responses["/"] = lambda: Response(body, media_type=media_type)


def made(gateway: httpx.Client) -> httpx.Response:
    return gateway.post("/v1/txt2img", json={"prompt": "a red apple"})


def test_a_stage_is_asked_for_what_it_announces_and_the_others_are_not(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    context = np.random.default_rng(0).normal(size=(1, *CONTEXT)).astype(np.float32)
    announce(fakes["text_encoder"], pack({"context": context, "unconditional_context": -context}, {}))
    assert made(fresh_gateway).status_code == 200
    asked = [headers["accept"] for headers in fakes["text_encoder"].headers]
    assert asked == ["*/*", f"{MEDIA_TYPE};dtype=float32"]
    assert fakes["diffusion"].requests[0]["inputs"] == [base64_of(context), base64_of(-context)]
    assert {headers["accept"] for headers in fakes["diffusion"].headers} == {"*/*"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"nonsense of some length", "answered what cannot be used: the answer must be safetensors"),
        (pack({"context": np.zeros((1, *CONTEXT))}, {}), "must be one with unconditional_context"),
        (
            pack({"context": np.zeros((1, 5))}, {}),
            "context must be a float32 tensor of shape (1, 77, 8); got",
        ),
    ],
)
def test_safetensors_that_are_not_sound_are_the_stages_fault(
    fresh_gateway: httpx.Client, fakes: Fakes, body: bytes, said: str
) -> None:
    announce(fakes["text_encoder"], body)
    answer = made(fresh_gateway)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["stage"]) == (502, "StageFailed", "text_encoder")
    assert said in error["message"]


def test_a_stage_that_announces_safetensors_may_still_answer_by_the_contract(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    text = json.dumps(fakes["text_encoder"].answer({"batch_size": 1})).encode()
    announce(fakes["text_encoder"], text, "application/json")
    assert made(fresh_gateway).status_code == 200
