from typing import Any

import numpy as np
import pytest

from triptych.fields import MAX_SEED, Fields
from triptych.wire import InvalidField, Tensors, encode_tensor


def test_a_request_that_is_not_an_object_is_refused() -> None:
    with pytest.raises(InvalidField, match="the request must be a JSON object; got a list of 1 items"):
        Fields(["inputs"])  # type: ignore[arg-type]


def test_whole_numbers_are_read_also_when_json_wrote_them_with_a_point() -> None:
    assert Fields({"num_steps": 25.0}).integer("num_steps", 1, 1, 50) == 25


@pytest.mark.parametrize("value", [0, 10_000, -1, 2.5, "2", None, True, [1], float("inf")])
def test_whole_numbers_out_of_range_or_of_another_type_are_refused(value: Any) -> None:
    with pytest.raises(InvalidField, match="batch_size must be a whole number from 1 to 16; got"):
        Fields({"batch_size": value}).integer("batch_size", 1, 1, 16)


@pytest.mark.parametrize("value", [-0.1, 101, "7.5", None, False, float("nan")])
def test_numbers_out_of_range_or_of_another_type_are_refused(value: Any) -> None:
    with pytest.raises(InvalidField, match="guidance must be a number from 0 to 100; got"):
        Fields({"guidance": value}).number("guidance", 7.5, 0, 100)


def test_missing_keys_take_their_defaults() -> None:
    fields = Fields({})
    assert fields.integer("batch_size", 1, 1, 16) == 1
    assert fields.number("guidance", 7.5, 0, 100) == 7.5
    assert fields.choice("schedule", "keras-cv", ["keras-cv", "range"]) == "keras-cv"
    assert fields.text("negative_prompt", "") == ""


def test_a_missing_text_without_a_default_is_refused() -> None:
    with pytest.raises(InvalidField, match=r"inputs must be a string .*; got nothing"):
        Fields({}).text("inputs")


def test_a_text_of_a_megabyte_is_refused() -> None:
    with pytest.raises(InvalidField, match="at most 4000 characters; got a string of 1000000 characters"):
        Fields({"inputs": "a" * 1_000_000}).text("inputs")


def test_an_unknown_choice_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidField, match=r"schedule must be one of keras-cv, range; got .*'karras'"):
        Fields({"schedule": "karras"}).choice("schedule", "keras-cv", ["keras-cv", "range"])


def test_one_seed_counts_up_over_the_images() -> None:
    assert Fields({"seed": 5}).seeds("seed", 3) == [5, 6, 7]


def test_a_list_of_seeds_is_taken_as_it_is() -> None:
    assert Fields({"seed": [9, 2]}).seeds("seed", 2) == [9, 2]


def test_missing_seeds_are_drawn_anew_each_time() -> None:
    assert Fields({}).seeds("seed", 2) != Fields({}).seeds("seed", 2)


@pytest.mark.parametrize("value", [-1, MAX_SEED, 1.5, "7", [1], [1, 2, 3], [1, None], True, {"a": 1}])
def test_seeds_of_another_number_range_or_type_are_refused(value: Any) -> None:
    with pytest.raises(
        InvalidField, match=r"seed must be a whole number from 0 to 2\^63 - 1, or a list of 2"
    ):
        Fields({"seed": value}).seeds("seed", 2)


def test_tensors_are_read_in_order_and_named_when_wrong() -> None:
    parts: dict[str, Any] = {"image": (np.uint8, (2,)), "mask": (np.uint8, (1,))}
    image, mask = encode_tensor(np.array([1, 2], np.uint8)), encode_tensor(np.array([3], np.uint8))
    first, second = Fields({"inputs": [image, mask]}).tensors("inputs", parts)
    assert first.tolist() == [1, 2]
    assert second.tolist() == [3]
    with pytest.raises(InvalidField, match=r"inputs\[1\] \(mask\) must be"):
        Fields({"inputs": [image, 5]}).tensors("inputs", parts)


@pytest.mark.parametrize("value", ["text", None, [], ["a", "b", "c"]])
def test_another_number_of_tensors_is_refused(value: Any) -> None:
    parts: dict[str, Any] = {"image": (np.uint8, (2,)), "mask": (np.uint8, (1,))}
    with pytest.raises(InvalidField, match="inputs must be a list of 2 base64 tensors: image, mask"):
        Fields({"inputs": value}).tensors("inputs", parts)


def test_tensors_that_have_names_are_read_by_them() -> None:
    parts: dict[str, Any] = {"image": (np.uint8, (2,)), "mask": (np.uint8, (1,))}
    tensors = Tensors(mask=np.array([3], np.uint8), image=np.array([1, 2], np.uint8))
    first, second = Fields({"inputs": tensors}).tensors("inputs", parts)
    assert (first.tolist(), second.tolist()) == ([1, 2], [3])
    assert Fields({"inputs": Tensors(mask=second)}).tensor("inputs", "mask", np.uint8, (1,)).tolist() == [3]


@pytest.mark.parametrize("names", [["image"], ["image", "mask", "latent"], ["image", "masks"], []])
def test_tensors_of_other_names_are_refused_with_the_right_ones(names: list[str]) -> None:
    parts: dict[str, Any] = {"image": (np.uint8, (2,)), "mask": (np.uint8, (1,))}
    with pytest.raises(InvalidField, match="inputs must be the tensors image, mask; got "):
        Fields({"inputs": Tensors(dict.fromkeys(names, np.zeros(2)))}).tensors("inputs", parts)


def test_a_json_object_is_not_taken_for_tensors() -> None:
    with pytest.raises(InvalidField, match=r"inputs must be base64 .* got an object of 1 keys"):
        Fields({"inputs": {"latent": "AAAA"}}).tensor("inputs", "latent", np.uint8, (3,))


def test_reading_leaves_the_request_as_it_was() -> None:
    data = {"seed": 5, "batch_size": 2, "inputs": "a cat"}
    before = dict(data)
    fields = Fields(data)
    fields.seeds("seed", 2)
    fields.integer("batch_size", 1, 1, 16)
    fields.text("inputs")
    assert data == before
