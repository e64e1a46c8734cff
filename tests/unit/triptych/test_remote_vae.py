"""diffusers' wire, without diffusers: tests/clients has it with them."""

import io
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from PIL import Image

from triptych.remote_vae import LATENT_SCALE, MEDIA_TYPE, RemoteDecode, RemoteEncode
from triptych.wire import InvalidField

LATENT = np.linspace(-2, 2, 4 * 2 * 3, dtype=np.float32).reshape(1, 4, 2, 3)
"""NCHW"""
Items = list[tuple[str, str]]


def items(array: np.ndarray[Any, Any] = LATENT, dtype: str = "float32", **more: object) -> Items:
    shape = [("shape", str(side)) for side in array.shape]
    return [*shape, ("dtype", dtype), *((name, str(value)) for name, value in more.items())]


def decoding(accept: str = MEDIA_TYPE, **more: object) -> RemoteDecode:
    return RemoteDecode.read(items(**more), accept, LATENT.tobytes())  # type: ignore[arg-type]


def png(width: int = 16, height: int = 8) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 255, np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_latents_are_scaled_to_what_a_stage_takes() -> None:
    nhwc = LATENT.transpose(0, 2, 3, 1)
    assert np.array_equal(decoding(do_scaling=True).latents, nhwc)
    assert np.array_equal(decoding(scaling_factor=LATENT_SCALE).latents, nhwc)
    assert np.allclose(decoding().latents, nhwc * LATENT_SCALE)
    assert np.allclose(decoding(do_scaling=False).latents, nhwc * LATENT_SCALE)
    shifted = decoding(scaling_factor=0.5, shift_factor=0.25).latents
    assert np.allclose(shifted, (nhwc / 0.5 + 0.25) * LATENT_SCALE)


def test_the_stage_is_told_the_size_in_pixels() -> None:
    payload = decoding(output_type="pt").payload
    assert (payload["height"], payload["width"], payload["batch_size"]) == (16, 24, 1)
    assert payload["image_dtype"] == "float32"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_raw_values_come_back_in_the_dtype_of_the_latents(dtype: str) -> None:
    given = LATENT.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    asked = RemoteDecode.read(items(dtype=dtype, output_type="pt"), MEDIA_TYPE, given.tobytes())
    images = np.linspace(-1.5, 1.5, 16 * 24 * 3, dtype=np.float32).reshape(1, 16, 24, 3)
    answer = asked.answer(images)
    assert answer.headers == {"shape": "[1, 3, 16, 24]", "dtype": dtype}
    values = np.frombuffer(answer.body, given.dtype).reshape(1, 3, 16, 24).astype(np.float32)
    assert np.abs(values - images.transpose(0, 3, 1, 2)).max() < 0.01


def test_with_a_processor_values_are_from_0_to_1() -> None:
    answer = decoding(output_type="pil").answer(np.array([[[[-9, -1, 1]]]], np.float32))
    assert np.frombuffer(answer.body, np.float32).tolist() == [0, 0, 1]


def test_partly_processed_pictures_are_uint8_and_channels_last() -> None:
    asked = decoding(output_type="pt", partial_postprocess=True)
    answer = asked.answer(np.zeros((1, 16, 24, 3), np.uint8))
    assert asked.payload["image_dtype"] == "uint8"
    assert answer.headers == {"shape": "[1, 16, 24, 3]", "dtype": "uint8"}


@pytest.mark.parametrize(("image_format", "kind"), [("png", "PNG"), ("jpg", "JPEG")])
def test_without_a_processor_the_answer_is_a_file(image_format: str, kind: str) -> None:
    asked = decoding("image/png", image_format=image_format)
    answer = asked.answer(np.full((1, 16, 24, 3), 200, np.uint8))
    image = Image.open(io.BytesIO(answer.body))
    assert (image.format, image.size, answer.media_type) == (kind, (24, 16), f"image/{kind.lower()}")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"output_type": "mp4"}, "output_type must be one of pil, pt; got mp4"),
        ({"image_format": "gif", "accept": "*/*"}, "image_format must be one of png, jpg; got gif"),
        ({"dtype": "int8"}, "dtype must be one of float16, float32, bfloat16; got int8"),
        ({"dtype": ""}, "dtype must be one of"),
        ({"dtype": "float16"}, "body must be 48 bytes, a float16 tensor of shape (1, 4, 2, 3); got 96 bytes"),
        ({"scaling_factor": 0}, "scaling_factor must be a number from 0.001 to 1000; got 0"),
        ({"scaling_factor": "nan"}, "scaling_factor must be"),
        ({"shift_factor": "x"}, "shift_factor must be a number from -1000 to 1000; got x"),
        ({"do_scaling": "maybe"}, "do_scaling must be one of"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(bad: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidField) as refused:
        decoding(**bad)  # type: ignore[arg-type]
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    "shape",
    ["", "1,4,2", "1,3,2,3", "1,4,2,-3", "1,4,2,99999999999999", "1,4,0,3", "1,4,2,x", "1,4,2,5000"],
)
def test_a_shape_that_is_wrong_is_named_before_the_body_is_looked_at(shape: str) -> None:
    sides = [("shape", side) for side in shape.split(",") if shape]
    with pytest.raises(InvalidField, match=r"shape must be \(batch, 4, height, width\)"):
        RemoteDecode.read([*sides, ("dtype", "float32")], MEDIA_TYPE, LATENT.tobytes())


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InvalidField, match="body must be finite values"):
        RemoteDecode.read(items(), MEDIA_TYPE, (LATENT * np.inf).tobytes())


def test_several_pictures_do_not_fit_one_file() -> None:
    two = np.concatenate([LATENT, LATENT])
    with pytest.raises(InvalidField, match="use pt"):
        RemoteDecode.read(items(two), "image/png", two.tobytes())


def test_a_file_is_encoded_as_its_pixels() -> None:
    asked = RemoteEncode.read([], png())
    assert (asked.images.shape, asked.images.dtype.name) == ((1, 8, 16, 3), "uint8")
    assert (asked.payload["height"], asked.payload["width"], asked.payload["task"]) == (8, 16, "encode")
    answer = asked.answer(np.full((1, 1, 2, 4), LATENT_SCALE, np.float32))
    assert answer.headers == {"shape": "[1, 4, 1, 2]", "dtype": "float32"}
    assert np.allclose(np.frombuffer(answer.body, np.float32), 1)


def test_latents_come_shifted_and_scaled_as_they_are_asked_for() -> None:
    asked = RemoteEncode.read([("scaling_factor", "0.5"), ("shift_factor", "0.25")], png())
    answer = asked.answer(np.full((1, 1, 2, 4), LATENT_SCALE, np.float32))
    assert np.allclose(np.frombuffer(answer.body, np.float32), (1 - 0.25) * 0.5)


def test_pictures_are_of_so_many_pixels_together() -> None:
    two = np.zeros((2, 3, 8, 16), np.float32)
    RemoteEncode.read([], png(16, 8), 128)
    RemoteEncode.read(items(two), two.tobytes(), 256)
    RemoteDecode.read(items(), MEDIA_TYPE, LATENT.tobytes(), 16 * 24)
    must = "must be of images of at most {} pixels together; got {}"
    for field, most, got, read in (
        ("body", 127, "1 x 8 x 16", lambda: RemoteEncode.read([], png(16, 8), 127)),
        ("shape", 255, "2 x 8 x 16", lambda: RemoteEncode.read(items(two), two.tobytes(), 255)),
        ("shape", 383, "1 x 16 x 24", lambda: RemoteDecode.read(items(), MEDIA_TYPE, LATENT.tobytes(), 383)),
    ):
        with pytest.raises(InvalidField) as refused:
            read()
        assert str(refused.value) == f"{field} {must.format(most, got)}"


@pytest.mark.parametrize(
    ("body", "got"),
    [
        (b"", "0 bytes of something else"),
        (b"GIF89a", "6 bytes of something else"),
        (png()[:45], "45 bytes of something else"),
        (png(5000, 1), "one of 5000 x 1"),
    ],
)
def test_a_body_that_is_no_picture_is_refused(body: bytes, got: str) -> None:
    with pytest.raises(InvalidField, match=f"body must be a PNG, JPEG or WebP file .*; got {got}"):
        RemoteEncode.read([], body)
