"""In which form an answer goes out: JSON by the stage contract, or safetensors where both sides know them,
at once or at the end of a stream of events."""

import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.responses import Response

from triptych.wire import FLOATS, IMAGE_FORMAT, MEDIA_TYPE, TRAVELLING, Array, Tensors, encode_tensor, pack

from .handler import Handler, gives_tensors, starts_tickets

IMAGE = "image"
JSON = "application/json"
EVENTS = "text/event-stream"
STREAMED = ["events", "job_id", "on_disconnect"]
"""The extras that the host has for a handler that starts requests."""
PNG_OPTIONS = {"compress_level": 1, "compress_type": zlib.Z_RLE}
"""zlib's strategy of run lengths: the others take longer for a few percent."""

Render = Callable[[Any], Response]


@dataclass(frozen=True)
class Form:
    """Safetensors: those of floating point in this dtype, pictures as they are or as files of a format."""

    floats: str = "float32"
    image_format: str | None = None
    events: bool = False
    """Whether they come as the last of a stream of events."""

    def render(self, tensors: Tensors) -> Response:
        """The answer with these tensors."""
        return Response(self.body(tensors), media_type=MEDIA_TYPE)

    def body(self, tensors: Tensors) -> bytes:
        """The tensors as safetensors."""
        images = tensors.get(IMAGE)
        if self.image_format is None or images is None or images.dtype != np.uint8:
            return pack(tensors, {}, self.floats)
        save = IMAGE_FORMATS[self.image_format]
        files = {
            f"{IMAGE}.{index}": np.frombuffer(_file(pixels, save), np.uint8)
            for index, pixels in enumerate(images)
        }
        return pack(files, {IMAGE_FORMAT: self.image_format})


def announced(card: dict[str, Any], handler: Handler) -> dict[str, Any]:
    """The handler's card with what the host adds: forms beside the contract's JSON, and ways to follow."""
    if gives_tensors(handler):
        formats = list(IMAGE_FORMATS) if IMAGE in card.get("shapes", {}) else []
        wire = {"content_types": [JSON, MEDIA_TYPE], "dtypes": list(TRAVELLING), "image_formats": formats}
        card = {**card, "wire": wire}
    if starts_tickets(handler):
        card = {**card, "extras": [*card.get("extras", []), *STREAMED]}
    return card


def asked_form(accept: str, handler: Handler) -> Form | None:
    """The form that `Accept` names; None for JSON, which any header stands for that names none of the others.

    Raises HTTPException 406 for a dtype or an image format that there is not, and for events of a handler
    that has none, unless `Accept` names something else too.
    """
    known = {MEDIA_TYPE: gives_tensors(handler), EVENTS: starts_tickets(handler)}
    entries = [[part.strip().lower() for part in entry.split(";")] for entry in accept.split(",")]
    for name, *parameters in entries:
        if known.get(name):
            return _form(name == EVENTS, parameters)
    if all(name == EVENTS for name, *_ in entries):
        raise HTTPException(406, f"this stage has no {EVENTS}; Accept must name {JSON}")
    return None


def render_contract(tensors: Tensors) -> Response:
    """The one tensor of an answer by the stage contract: its base64, as a JSON string."""
    (tensor,) = tensors.values()
    return json_response(to_json(encode_tensor(tensor)))


def json_response(body: bytes, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(body, status, media_type=JSON)


def to_json(value: Any) -> bytes:
    """The value as ASCII JSON. Raises TypeError or ValueError for what JSON cannot say, NaN included."""
    return json.dumps(value, allow_nan=False).encode("ascii")


def png(pixels: Array) -> bytes:
    """A picture (height, width, 3), uint8, as a PNG file."""
    return _file(pixels, _save_png)


def _form(events: bool, parameters: list[str]) -> Form:
    given = dict(parameter.partition("=")[::2] for parameter in parameters)
    floats = _one_of("dtype", given.get("dtype", FLOATS[0]), FLOATS)
    image_format = given.get(IMAGE_FORMAT)
    known = image_format and _one_of(IMAGE_FORMAT, image_format, tuple(IMAGE_FORMATS))
    return Form(floats, known, events)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise HTTPException(406, f"{name} in Accept must be {' or '.join(known)}; got {value:.40}")
    return value


def _file(pixels: Array, save: Callable[[Image.Image, io.BytesIO], None]) -> bytes:
    file = io.BytesIO()
    save(Image.fromarray(pixels), file)
    return file.getvalue()


def _save_png(image: Image.Image, file: io.BytesIO) -> None:
    image.save(file, "PNG", **PNG_OPTIONS)


def _save_webp(image: Image.Image, file: io.BytesIO) -> None:
    image.save(file, "WEBP", lossless=True, quality=0, method=0)


IMAGE_FORMATS = {"png": _save_png, "webp": _save_webp}
"""Both without loss."""
