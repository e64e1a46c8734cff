import base64
import json

import numpy as np
import pytest

from triptych.wire import InvalidField, decode_tensor, describe, encode_tensor

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
