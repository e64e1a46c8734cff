"""Pictures of pictures: painted masks, and image to image."""

import base64

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys

from tests.browser.studio import Studio
from tests.tiny import PICTURE

FILE_EVENT = """
    const [data, kind] = arguments;
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const carried = new DataTransfer();
    carried.items.add(new File([bytes], "photo.png", {type: "image/png"}));
    const event = kind === "paste"
      ? new ClipboardEvent("paste", {clipboardData: carried, bubbles: true})
      : new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true});
    document.getElementById("mat").dispatchEvent(event);
"""


def photo(width: int = 96, height: int = 80) -> Image.Image:
    """Of a size that is not the model's, with every pixel another."""
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.stack([columns * 2, rows * 2, (rows * 7 + columns * 3) % 256], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def begin(studio: Studio, mode: str = "Inpainting") -> npt.NDArray[np.uint8]:
    studio.mode(mode)
    image = photo()
    studio.choose(image)
    return np.asarray(image)


def test_what_is_not_painted_stays_as_it_was(studio: Studio) -> None:
    before = begin(studio)
    studio.paint((0.3, 0.3), (0.6, 0.3), (0.6, 0.6))
    mask = studio.mask()
    assert mask.shape == before.shape[:2]
    assert 0.02 < mask.mean() < 0.5
    studio.generate("a red apple", steps=5)
    studio.made()
    after = studio.result()
    assert np.array_equal(after[~mask], before[~mask])
    assert (after[mask] != before[mask]).any(axis=-1).mean() > 0.5
    assert "From Inpainting" in studio.text("#caption dl").replace("\n", " ")
    assert studio.complaints() == []


def test_strokes_are_erased_undone_done_again_inverted_and_cleared(studio: Studio) -> None:
    begin(studio)
    assert not studio.button("Undo").is_enabled()
    studio.paint((0.2, 0.5), (0.8, 0.5))
    line = studio.mask()
    studio.press("Eraser")
    studio.paint((0.5, 0.2), (0.5, 0.8))
    cut = studio.mask()
    assert 0 < cut.sum() < line.sum()
    assert not cut[40, 48]
    studio.press("Undo")
    assert np.array_equal(studio.mask(), line)
    studio.press("Redo")
    assert np.array_equal(studio.mask(), cut)
    studio.press("Invert")
    assert (studio.mask() != cut).mean() > 0.99
    studio.press("Clear")
    assert not studio.mask().any()
    studio.keys(Keys.CONTROL, "z")
    assert studio.mask().any()


def test_a_larger_brush_paints_more(studio: Studio) -> None:
    begin(studio)
    studio.paint((0.5, 0.5))
    dab = studio.mask().sum()
    studio.press("Clear")
    studio.run("document.getElementById('brush-size').value = 50")
    studio.paint((0.5, 0.5))
    assert studio.mask().sum() > 4 * dab > 0


def test_a_mask_can_be_painted_with_the_keyboard(studio: Studio) -> None:
    begin(studio)
    canvas = studio.find("#mask")
    canvas.send_keys(Keys.SPACE)
    dab = studio.mask()
    assert dab[40, 48]
    for _ in range(8):
        canvas.send_keys(Keys.SHIFT, Keys.ARROW_RIGHT)
    assert studio.mask().sum() > dab.sum()
    canvas.send_keys(Keys.CONTROL, "z")
    assert studio.mask().sum() < dab.sum() * 3


def test_nothing_painted_is_said_before_anything_is_sent(studio: Studio) -> None:
    begin(studio)
    studio.generate("a red apple")
    assert "Paint over the part" in studio.text("#problem")
    assert studio.find("#paint").is_displayed()


def test_no_picture_is_said_before_anything_is_sent(studio: Studio) -> None:
    studio.mode("Image to image")
    studio.generate("a red apple")
    assert "There is no picture to work on yet" in studio.text("#problem")


def test_a_file_that_is_no_picture_is_said(studio: Studio) -> None:
    studio.mode("Image to image")
    path = studio.folder / "notes.png"
    path.write_text("this is no picture")
    studio.find("#file").send_keys(str(path))
    studio.until(lambda: "notes.png is not a picture" in studio.text("#problem"), "word of it")


def test_image_to_image_keeps_more_of_the_picture_with_less_strength(studio: Studio) -> None:
    begin(studio, "Image to image")
    studio.write("Seed", "1")
    studio.generate("a red apple", strength=0.2)
    studio.made()
    near = studio.result().astype(int)
    studio.generate("a red apple", strength=1)
    studio.made(2)
    far = studio.result().astype(int)
    square = photo().crop((8, 0, 88, 80)).resize(PICTURE, Image.Resampling.BICUBIC)
    middle = np.asarray(square).astype(int)
    assert np.abs(near - middle).mean() < np.abs(far - middle).mean()


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_can_be_dropped_and_pasted(studio: Studio, kind: str) -> None:
    path = studio.folder / "photo.png"
    photo().save(path)
    studio.run(FILE_EVENT, base64.b64encode(path.read_bytes()).decode(), kind)
    studio.until(lambda: studio.find("#paint").is_displayed(), "input picture")
    assert studio.text("#input-size") == "96 × 80 pixels"
    assert studio.find("[name=mode]:checked").get_attribute("value") == "img2img"


def test_a_turned_photo_is_sent_as_it_is_seen(studio: Studio) -> None:
    studio.mode("Inpainting")
    image, exif = photo(96, 80), Image.Exif()
    exif[0x0112] = 6
    path = studio.folder / "turned.jpg"
    image.save(path, exif=exif, quality=95)
    studio.find("#file").send_keys(str(path))
    studio.until(lambda: studio.find("#paint").is_displayed(), "input picture")
    assert studio.text("#input-size") == "80 × 96 pixels"
    studio.paint((0.5, 0.5))
    studio.generate("a red apple", steps=3)
    studio.made()
    assert studio.result().shape == (96, 80, 3)


def test_a_result_can_be_painted_over(studio: Studio) -> None:
    studio.generate("a cat on a yellow background")
    studio.made()
    before = studio.result()
    studio.press("Inpaint")
    studio.until(lambda: studio.find("#mask").is_displayed(), "mask")
    studio.paint((0.3, 0.3), (0.5, 0.5))
    mask = studio.mask()
    studio.generate("a red apple", steps=5)
    studio.made(2)
    assert np.array_equal(studio.result()[~mask], before[~mask])
