"""Make the documentation's pictures with a running stack: `python docs/make_pictures.py [URL]`."""

import io
import sys
from pathlib import Path
from typing import Any

import requests
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent
PROMPTS = (
    "a red apple on a blue background",
    "I'd like a happy dog at the beach please",
    "a cartoon fox in the snow",
    "a teapot above a cupcake",
    "a castle at sunset",
    "a flat icon of a pizza on a blue background",
    "a wizard under the stars",
    "a tiny snail in a meadow",
    "an astronaut in the desert",
    "a rocket to the left of a banana",
    "a huge blue whale underwater",
    "a flat yellow umbrella icon on gray",
)
COLUMNS, SCALE, GAP, CAPTION = 4, 2, 8, 16
PAIR_PROMPT, INPAINTING_PROMPT = (
    f"a cat to the left of {thing} on a yellow background" for thing in ("an apple", "a teapot")
)
SEED = 6


def main(url: str) -> None:
    made = [picture(f"{url}/v1/txt2img", prompt=prompt, seed=SEED) for prompt in PROMPTS]
    sheet(made, PROMPTS, COLUMNS).save(FOLDER / "pictures.png", optimize=True)
    image = picture(f"{url}/v1/txt2img", prompt=PAIR_PROMPT, seed=SEED)
    mask = Image.new("L", image.size, 0)
    ImageDraw.Draw(mask).rectangle((66, 24, 123, 103), fill=255)
    files = {"image": png(image), "mask": png(mask)}
    painted = picture(f"{url}/v1/inpaint", files, prompt=INPAINTING_PROMPT, seed=SEED)
    captions = (PAIR_PROMPT, "mask", INPAINTING_PROMPT)
    sheet([image, mask.convert("RGB"), painted], captions, 3).save(FOLDER / "inpainting.png", optimize=True)


def picture(url: str, files: dict[str, bytes] | None = None, **request: Any) -> Image.Image:
    """What the gateway makes of the request: form data with files, JSON without."""
    form = {"data": request, "files": files} if files else {"json": request}
    response = requests.post(url, headers={"Accept": "image/png"}, timeout=600, **form)  # type: ignore[arg-type]
    response.raise_for_status()
    return Image.open(io.BytesIO(response.content)).convert("RGB")


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def sheet(images: list[Image.Image], captions: tuple[str, ...], columns: int) -> Image.Image:
    """All images enlarged, each with its caption below."""
    side = images[0].width * SCALE
    rows = -(-len(images) // columns)
    width, height = side + GAP, side + CAPTION + GAP
    whole = Image.new("RGB", (columns * width + GAP, rows * height + GAP), "white")
    draw = ImageDraw.Draw(whole)
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = GAP + index % columns * width, GAP + index // columns * height
        whole.paste(image.resize((side, side), Image.Resampling.BICUBIC), (left, top))
        draw.text((left, top + side + 2), caption, fill="black")
    return whole


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
