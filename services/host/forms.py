"""In which form an answer goes out: JSON by the stage contract, or safetensors where both sides know them."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.responses import Response

from triptych.wire import FLOATS, IMAGE_FORMAT, MEDIA_TYPE, TRAVELLING, Array, Tensors, pack

from .handler import Handler, TensorHandler

IMAGE = "image"
JSON = "application/json"
PNG_LEVEL = 1
"""Of 9: the others take several times as long for a few percent."""

Work = Callable[[Handler], Any]
Render = Callable[[Any], Response]


@dataclass(frozen=True)
class Form:
    """Safetensors: those of floating point in this dtype, pictures as they are or as files of a format."""

    floats: str = "float32"
    image_format: str | None = None

    def render(self, tensors: Tensors) -> Response:
        """The answer with these tensors."""
        return Response(self._body(tensors), media_type=MEDIA_TYPE)

    def _body(self, tensors: Tensors) -> bytes:
        images = tensors.get(IMAGE)
        if self.image_format is None or images is None or images.dtype != np.uint8:
            return pack(tensors, {}, self.floats)
        save = IMAGE_FORMATS[self.image_format]
        files = {f"{IMAGE}.{index}": _file(pixels, save) for index, pixels in enumerate(images)}
        return pack(files, {IMAGE_FORMAT: self.image_format})


def announced(card: dict[str, Any]) -> dict[str, Any]:
    """What the card of a TensorHandler says more: what it takes and gives beside the contract's JSON."""
    formats = list(IMAGE_FORMATS) if IMAGE in card.get("shapes", {}) else []
    wire = {"content_types": [JSON, MEDIA_TYPE], "dtypes": list(TRAVELLING), "image_formats": formats}
    return {**card, "wire": wire}


def asked_form(accept: str) -> Form | None:
    """The form that `Accept` names; None for JSON, which any other header stands for.

    Raises HTTPException 406 for a dtype or an image format that there is not.
    """
    for entry in accept.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        if name == MEDIA_TYPE:
            given = dict(parameter.partition("=")[::2] for parameter in parameters)
            floats = _one_of("dtype", given.get("dtype", FLOATS[0]), FLOATS)
            image_format = given.get(IMAGE_FORMAT)
            return Form(floats, image_format and _one_of(IMAGE_FORMAT, image_format, tuple(IMAGE_FORMATS)))
    return None


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise HTTPException(406, f"{name} in Accept must be {' or '.join(known)}; got {value:.40}")
    return value


def tensors_of(handler: Handler, data: dict[str, Any]) -> Tensors:
    """The handler's answer before it is base64."""
    return cast(TensorHandler, handler).tensors(data)


def _file(pixels: Array, save: Callable[[Image.Image, io.BytesIO], None]) -> Array:
    file = io.BytesIO()
    save(Image.fromarray(pixels), file)
    return np.frombuffer(file.getvalue(), np.uint8)


def _save_png(image: Image.Image, file: io.BytesIO) -> None:
    image.save(file, "PNG", compress_level=PNG_LEVEL)


def _save_webp(image: Image.Image, file: io.BytesIO) -> None:
    image.save(file, "WEBP", lossless=True, quality=0, method=0)


IMAGE_FORMATS = {"png": _save_png, "webp": _save_webp}
"""Both without loss."""
