import base64
import json
from typing import Any

import numpy as np
import pytest

from triptych.wire import MAX_HEADER, InvalidField, decode_tensor, describe, encode_tensor, pack, unpack

SHAPE = (2, 3)
TENSOR = np.arange(6, dtype=np.float32).reshape(SHAPE)


def test_a_tensor_comes_back_as_it_went() -> None:
    assert np.array_equal(decode_tensor("inputs", encode_tensor(TENSOR), np.float32, SHAPE), TENSOR)


def test_a_tensor_travels_in_c_order_whatever_its_strides() -> None:
    assert base64.b64decode(encode_tensor(TENSOR.T)) == TENSOR.T.tobytes("C")


def test_quotes_left_around_a_tensor_string_are_ignored() -> None:
    quoted = json.dumps(encode_tensor(TENSOR))
    assert np.array_equal(decode_tensor("inputs", quoted, np.float32, SHAPE), TENSOR)


def test_a_wrong_length_is_refused_naming_field_shape_and_sizes() -> None:
    with pytest.raises(
        InvalidField, match=r"inputs must be .*float32 tensor of shape \(2, 3\).*24 bytes.*got 8"
    ):
        decode_tensor("inputs", encode_tensor(TENSOR[:1, :1]), np.float32, SHAPE)


def test_padding_that_hides_a_shorter_tensor_is_refused() -> None:
    with pytest.raises(InvalidField, match="23 bytes"):
        decode_tensor("inputs", base64.b64encode(TENSOR.tobytes()[:23]).decode(), np.float32, SHAPE)


def test_text_that_is_not_base64_is_refused() -> None:
    with pytest.raises(InvalidField, match="not base64"):
        decode_tensor("inputs", "é" * 32, np.float32, SHAPE)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    tensor = TENSOR.copy()
    tensor[1, 1] = bad
    with pytest.raises(InvalidField, match="finite"):
        decode_tensor("inputs", encode_tensor(tensor), np.float32, SHAPE)


@pytest.mark.parametrize("value", [None, 5, ["a"], {"a": 1}, True])
def test_a_tensor_that_is_not_a_string_is_refused(value: object) -> None:
    with pytest.raises(InvalidField, match="inputs must be base64"):
        decode_tensor("inputs", value, np.float32, SHAPE)


def test_descriptions_of_long_values_are_short() -> None:
    assert len(describe("x" * 100_000)) < 100
    assert len(describe(10**4000)) < 100
    assert describe(["a", "b"]) == "a list of 2 items"


def packed(header: bytes, data: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + data


def test_named_tensors_and_metadata_come_back_as_they_went() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    tensors, metadata = unpack("body", pack({"latent": TENSOR, "image": image}, {"fields": '{"seed": 5}'}))
    assert {name: (array.dtype.name, array.tolist()) for name, array in tensors.items()} == {
        "latent": ("float32", TENSOR.tolist()),
        "image": ("uint8", image.tolist()),
    }
    assert metadata == {"fields": '{"seed": 5}'}


def test_safetensors_hold_c_order_whatever_the_strides() -> None:
    tensors, _ = unpack("body", pack({"latent": TENSOR.T}, {}))
    assert tensors["latent"].tolist() == TENSOR.T.tolist()


def test_floats_travel_narrowed_and_come_back_as_they_are_expected() -> None:
    body = pack({"latent": TENSOR / 3, "image": np.zeros((1, 3), np.uint8)}, {}, "float16")
    tensors, _ = unpack("body", body)
    assert {name: array.dtype.name for name, array in tensors.items()} == {
        "latent": "float16",
        "image": "uint8",
    }
    latent = decode_tensor("latent", tensors["latent"], np.float32, SHAPE)
    assert latent.dtype == np.float32
    assert np.abs(latent - TENSOR / 3).max() < 1e-3


@pytest.mark.parametrize(
    ("body", "got"),
    [
        (b"", "0 bytes"),
        (b"\xff" * 20, "20 bytes that begin with"),
        (packed(b"{}")[:-1], "9 bytes"),
        (packed(b" " * (MAX_HEADER + 1)), "bytes that begin with"),
        (packed(b"[" * 9), "invalid JSON in header"),
        (packed(b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', b"abcd"), "something else"),
        (packed(b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', b"abcdabcd"), "something else"),
        (packed(b'{"x":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}', b"ab"), "BF16"),
        (packed(b'{"x":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}', b"abcdabcd"), "1 tensors, int64"),
        (pack({f"x{index}": TENSOR for index in range(65)}, {}), "65 tensors, float32"),
    ],
)
def test_bytes_that_are_no_sound_safetensors_are_refused(body: bytes, got: str) -> None:
    with pytest.raises(InvalidField, match=r"^body must be safetensors.*; got ") as refused:
        unpack("body", body)
    assert got in str(refused.value)
    assert len(str(refused.value)) < 500


def test_safetensors_may_have_no_tensors_and_no_metadata() -> None:
    assert unpack("body", packed(b'{"__metadata__":null}')) == ({}, {})


@pytest.mark.parametrize(
    ("array", "got"),
    [
        (TENSOR[:1], r"float32 of shape \(1, 3\)"),
        (TENSOR.astype(np.uint8), "uint8"),
        (TENSOR.astype(np.float64), "float64"),
        (np.full(SHAPE, np.inf, np.float16), "NaN or infinite"),
    ],
)
def test_an_array_of_another_shape_or_dtype_or_without_finite_values_is_refused(
    array: np.ndarray[Any, Any], got: str
) -> None:
    with pytest.raises(
        InvalidField, match=rf"latent must be a float32 tensor of shape \(2, 3\).*got .*{got}"
    ):
        decode_tensor("latent", array, np.float32, SHAPE)


def test_floats_are_not_taken_for_pixels() -> None:
    with pytest.raises(InvalidField, match="uint8 tensor"):
        decode_tensor("image", TENSOR, np.uint8, SHAPE)
