"""Pictures and masks in and out."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from gateway.errors import InvalidRequest
from gateway.images import (
    Picture,
    check_mask,
    cover,
    decode_base64,
    decode_mask,
    decode_picture,
    decode_weights,
    encode_picture,
    flatten,
    read_texts,
    stretch,
)
from tests.unit.gateway.pictures import file_of, noise, opened, pixels_of, png_header

LIMIT = 100_000
WHITE, TRANSPARENT, NONZERO = "white-is-repaint", "transparent-is-repaint", "nonzero-is-keep"


@pytest.mark.parametrize("text", ["{}", "data:image/png;base64,{}", " {}\n"])
def test_base64_comes_plain_or_as_a_data_url(text: str) -> None:
    assert decode_base64("image", text.format(base64.b64encode(b"bytes").decode())) == b"bytes"


@pytest.mark.parametrize("text", ["not base64!", "data:image/png,abcd", "abc", "ä"])
def test_what_is_not_base64_is_refused_with_the_fields_name(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"image must be base64 of a PNG, JPEG or WebP") as refused:
        decode_base64("image", text)
    assert refused.value.field == "image"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_lossless_picture_comes_in_as_it_is(kind: str) -> None:
    pixels = noise(13, 7)
    picture = decode_picture("image", file_of(pixels, kind, lossless=True), LIMIT)
    assert np.array_equal(picture.pixels, pixels)
    assert (picture.width, picture.height) == (13, 7)


def test_a_jpeg_comes_in_as_rgb() -> None:
    assert decode_picture("image", file_of(Image.new("CMYK", (9, 5)), "JPEG"), LIMIT).pixels.shape == (
        5,
        9,
        3,
    )


def test_transparency_is_kept() -> None:
    pixels = noise(6, 4, 4)
    assert np.array_equal(decode_picture("image", file_of(pixels), LIMIT).pixels, pixels)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA"])
def test_pictures_of_other_modes_become_rgb(mode: str) -> None:
    picture = decode_picture("image", file_of(Image.new(mode, (5, 5))), LIMIT)
    assert picture.pixels.shape == ((5, 5, 4) if mode == "LA" else (5, 5, 3))


def test_a_picture_taken_sideways_is_turned_upright() -> None:
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = decode_picture("image", file_of(pixels, exif=exif), LIMIT)
    assert (picture.width, picture.height) == (4, 8)
    assert picture.pixels[0, 3].tolist() == [255, 255, 255]


def test_a_colour_profile_survives_the_way_through() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = decode_picture("image", file_of(Image.new("RGB", (4, 4)), icc_profile=profile), LIMIT)
    for output_format in ("png", "webp", "jpeg"):
        image = opened(encode_picture(picture, output_format, {}))
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "must be a PNG, JPEG or WebP file; got 0 bytes"),
        (b"GIF89a" + bytes(100), "must be a PNG, JPEG or WebP file; got 106 bytes"),
        (file_of(Image.new("RGB", (8, 8)), "BMP"), "must be a PNG, JPEG or WebP file"),
        (file_of(noise(64, 64))[:-200], "must be a whole PNG file"),
        (file_of(noise(64, 64), "JPEG")[:-500], "must be a whole JPEG file"),
        (png_header(64, 64), "must be a whole PNG file"),
        (file_of(Image.new("I;16", (8, 8))), "must be of 8 bits a channel; got mode I;16"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint) as refused:
        decode_picture("image", data, LIMIT)
    assert refused.value.message.startswith("image must be")


def test_the_first_picture_of_a_telephones_jpeg_counts() -> None:
    red, preview = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (8, 8), "blue")
    picture = decode_picture("image", file_of(red, "MPO", save_all=True, append_images=[preview]), LIMIT)
    assert picture.pixels.shape == (16, 16, 3)
    assert picture.pixels[0, 0, 0] > 250


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_refused(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = file_of(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(InvalidRequest, match="must be a picture of one frame; got an animation"):
        decode_picture("image", data, LIMIT)


def test_a_picture_of_too_many_pixels_is_refused_by_its_header() -> None:
    with pytest.raises(InvalidRequest, match="must be of at most 100000 pixels; got 1000x101 = 101000"):
        decode_picture("image", png_header(1000, 101), LIMIT)


@pytest.mark.parametrize("side", [11_000, 60_000])
def test_a_decompression_bomb_is_refused_by_its_header(side: int) -> None:
    with pytest.raises(InvalidRequest, match="must be of at most 100000 pixels"):
        decode_picture("image", png_header(side, side), LIMIT)


def test_a_very_long_picture_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="must be at most 16384 pixels wide and high; got 20000x1"):
        decode_picture("image", png_header(20_000, 1), LIMIT)


def test_a_text_chunk_that_unpacks_to_very_much_is_refused() -> None:
    chunk = b"zTXtkey\0\0" + zlib.compress(bytes(80_000_000))
    whole = file_of(Image.new("RGB", (8, 8)))
    bomb = (
        whole[:33]
        + struct.pack(">I", len(chunk) - 4)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + whole[33:]
    )
    with pytest.raises(InvalidRequest, match="image must be"):
        decode_picture("image", bomb, LIMIT)


def test_white_is_repainted_by_the_first_convention() -> None:
    values = np.array([[0, 100, 127, 128, 255]], np.uint8)
    mask = decode_mask("mask", file_of(values), LIMIT, WHITE)
    assert mask.tolist() == [[False, False, False, True, True]]


def test_white_that_is_transparent_is_not_repainted() -> None:
    image = Image.new("RGBA", (2, 1), (255, 255, 255, 0))
    image.putpixel((0, 0), (255, 255, 255, 255))
    assert decode_mask("mask", file_of(image), LIMIT, WHITE).tolist() == [[True, False]]


def test_transparent_is_repainted_by_the_second_convention() -> None:
    alpha = np.array([[0, 127, 128, 255]], np.uint8)
    image = Image.new("RGBA", (4, 1))
    image.putalpha(Image.fromarray(alpha))
    mask = decode_mask("mask", file_of(image), LIMIT, TRANSPARENT)
    assert mask.tolist() == [[True, True, False, False]]


def test_the_second_convention_needs_an_alpha_channel() -> None:
    with pytest.raises(InvalidRequest, match="mask must have an alpha channel, 0 where to repaint"):
        decode_mask("mask", file_of(Image.new("RGB", (2, 2))), LIMIT, TRANSPARENT)


def test_zero_is_repainted_by_the_third_convention() -> None:
    values = np.array([[0, 1, 255]], np.uint8)
    mask = decode_mask("mask", file_of(values), LIMIT, NONZERO)
    assert mask.tolist() == [[True, False, False]]


def test_any_channel_above_zero_keeps_by_the_third_convention() -> None:
    pixels = np.array([[[0, 0, 0], [0, 0, 1]]], np.uint8)
    assert decode_mask("mask", file_of(pixels), LIMIT, NONZERO).tolist() == [[True, False]]


def test_a_png_carries_text_of_every_script() -> None:
    text = {"parameters": "a red apple\nSteps: 25", "triptych": '{"prompt": "ein Äpfel 🍎"}'}
    image = opened(encode_picture(Picture(noise(4, 4)), "png", text))
    assert isinstance(image, Image.Image)
    assert {key: image.info[key] for key in text} == text


def test_a_png_keeps_every_pixel() -> None:
    for channels in (3, 4):
        pixels = noise(5, 9, channels)
        data = encode_picture(Picture(pixels), "png", {})
        assert np.array_equal(pixels_of(data), pixels)


@pytest.mark.parametrize(("output_format", "kind"), [("png", "PNG"), ("webp", "WEBP"), ("jpeg", "JPEG")])
def test_each_format_is_written_even_from_a_picture_with_transparency(output_format: str, kind: str) -> None:
    image = Image.open(
        io.BytesIO(encode_picture(Picture(noise(8, 8, 4)), output_format, {"parameters": "x"}))
    )
    assert (image.format, image.size) == (kind, (8, 8))


def test_transparency_is_laid_over_white_where_a_format_has_none() -> None:
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 128]]], np.uint8)
    assert flatten(pixels).tolist() == [[[10, 20, 30], [255, 255, 255], [127, 127, 127]]]


def test_brightness_says_how_much_unless_alpha_says_something() -> None:
    grey = np.array([[0, 128, 255]], np.uint8)
    assert np.array_equal(decode_weights("mask", file_of(grey), LIMIT), grey)
    opaque = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    assert np.array_equal(decode_weights("mask", file_of(opaque), LIMIT), grey)
    alpha = np.dstack([grey, grey, grey, np.array([[129, 128, 0]], np.uint8)])
    assert np.array_equal(decode_weights("mask", file_of(alpha), LIMIT), [[255, 0, 0]])


def test_a_mask_fits_its_picture_and_opens_something() -> None:
    picture = Picture(noise(9, 7))
    check_mask(picture, np.ones((7, 9), bool), "it")
    with pytest.raises(InvalidRequest, match="of the image's size, 9x7; got 7x9"):
        check_mask(picture, np.ones((9, 7), bool), "it")
    with pytest.raises(InvalidRequest, match="something to repaint; white, it got nothing"):
        check_mask(picture, np.zeros((7, 9), bool), "white, it")


def test_a_picture_is_stretched_whole_or_covers_undistorted() -> None:
    halves = np.zeros((10, 40, 3), np.uint8)
    halves[:, 20:] = 255
    for made in (stretch(Picture(halves), (20, 20)), cover(Picture(halves), (20, 20))):
        assert made.size == (20, 20)
        assert (made.pixels[:, :4] == 0).all()
        assert (made.pixels[:, 16:] == 255).all()
    quarters = np.zeros((10, 40, 3), np.uint8)
    quarters[:, :10] = 255
    assert (stretch(Picture(quarters), (20, 20)).pixels[:, :3] > 250).all()
    assert cover(Picture(quarters), (20, 20)).pixels.max() < 50


def test_the_texts_of_a_file_are_read() -> None:
    data = encode_picture(Picture(noise(8, 8)), "png", {"parameters": "grün"})
    assert read_texts("image", data, LIMIT) == {"parameters": "grün"}


@pytest.mark.parametrize("kind", ["webp", "jpeg"])
def test_less_quality_is_a_smaller_file(kind: str) -> None:
    low, high = (encode_picture(Picture(noise(64, 64)), kind, {}, quality) for quality in (5, 95))
    assert len(low) < len(high)


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\xff\xff\0\0\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x04\0\xff\xff\xff\xff\0\0\0\0" * 100,
        b"Exif\0\0" + bytes(1000),
    ],
    ids=["offset beyond the end", "orientation 65535", "more entries than there are", "zeroes"],
)
def test_exif_that_is_not_sound_is_let_go_or_refused(exif: bytes) -> None:
    data = file_of(noise(32, 16), "JPEG", exif=exif)
    try:
        assert decode_picture("image", data, LIMIT).size == (32, 16)
    except InvalidRequest as refused:
        assert "image must be" in refused.message
