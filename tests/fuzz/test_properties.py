"""What holds for every tensor, picture, mask and setting."""

import io
import string

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pydantic import ValidationError

from gateway.images import Picture, decode_mask, decode_picture, encode_picture, flatten
from gateway.places import Named
from gateway.settings import Settings, sentences
from gateway.window import Window
from triptych.wire import InvalidField, decode_tensor, encode_tensor, pack, unpack

MAX_PIXELS = 64 * 64
sides = st.integers(1, 40)
floats = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=1, max_dims=4, max_side=9),
    elements=st.floats(-100, 100, width=32),
)
pixels = arrays.arrays(np.uint8, st.tuples(sides, sides, st.sampled_from([3, 4])))
texts = st.text(string.printable, max_size=60)


@given(floats)
def test_a_tensor_comes_back_from_text(tensor: npt.NDArray[np.float32]) -> None:
    back = decode_tensor("inputs", f'"{encode_tensor(tensor)}"', np.float32, tensor.shape)
    assert back.tobytes() == tensor.tobytes()


@given(st.dictionaries(st.sampled_from(["context", "latent", "image"]), floats), texts)
def test_tensors_come_back_from_safetensors(tensors: dict[str, npt.NDArray[np.float32]], said: str) -> None:
    back, metadata = unpack("body", pack(tensors, {"fields": said}))
    assert metadata == {"fields": said}
    assert {name: tensor.tobytes() for name, tensor in back.items()} == {
        name: tensor.tobytes() for name, tensor in tensors.items()
    }


@given(st.text(max_size=200), st.sampled_from([(1,), (1, 2, 4), (1, 8, 8, 4)]))
def test_text_that_is_no_tensor_is_refused(text: str, shape: tuple[int, ...]) -> None:
    try:
        assert decode_tensor("inputs", text, np.float32, shape).shape == shape
    except InvalidField as error:
        assert error.field == "inputs"


@given(pixels, st.sampled_from(["png", "webp", "jpeg"]))
def test_a_picture_comes_back_from_its_file(made: npt.NDArray[np.uint8], kind: str) -> None:
    back = decode_picture("image", encode_picture(Picture(made), kind, {}), MAX_PIXELS)
    assert back.size == (made.shape[1], made.shape[0])
    if kind == "png":
        assert np.array_equal(flatten(back.pixels), flatten(made))


@given(arrays.arrays(np.bool_, st.tuples(sides, sides)))
def test_the_three_conventions_say_the_same_of_a_mask(repaint: npt.NDArray[np.bool_]) -> None:
    grey = np.where(repaint, np.uint8(255), np.uint8(0))
    clear = np.dstack([np.full((*repaint.shape, 3), 7, np.uint8), 255 - grey])
    for convention, array in (
        ("white-is-repaint", grey),
        ("nonzero-is-keep", 255 - grey),
        ("transparent-is-repaint", clear),
    ):
        file = io.BytesIO()
        Image.fromarray(array).save(file, "PNG")
        read = decode_mask("mask", file.getvalue(), MAX_PIXELS, convention)
        assert np.array_equal(read, repaint), convention


@given(pixels, st.data())
def test_nothing_outside_the_mask_changes(made: npt.NDArray[np.uint8], data: st.DataObject) -> None:
    repaint = data.draw(arrays.arrays(np.bool_, made.shape[:2]).filter(np.any))
    window = Window.around(repaint, (16, 16))
    keep = window.keep_for_model(repaint)
    assert keep.shape == (16, 16, 1) and not keep.all()
    painted = window.paste(Picture(made), repaint, np.full((16, 16, 3), 200, np.uint8))
    assert np.array_equal(painted.pixels[~repaint], made[~repaint])


@pytest.mark.parametrize(
    "name",
    [
        *(f"{stage}_urls" for stage in ("decoder", "diffusion")),
        "plain_shapes",
        "webhook_hosts",
        "stage_timeout",
    ],
)
def test_a_setting_is_taken_or_refused_with_a_sentence(name: str) -> None:
    @given(texts)
    def set_to(value: str) -> None:
        try:
            Settings.model_validate({name: value})
        except ValidationError as error:
            assert all(sentence.strip() for sentence in sentences(error))

    set_to()


@given(st.lists(st.sampled_from(["http://a:1", "http://b", "https://c/d"]), min_size=1, unique=True))
def test_places_come_back_in_their_order(urls: list[str]) -> None:
    places = Named("decoder", urls=",".join(urls)).places
    assert [place.url for place in places] == urls
