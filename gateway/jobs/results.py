"""A result as one file, and back: pictures without loss, and what was told of them."""

import io
import json
import zipfile
from dataclasses import fields
from typing import Any

from ..images import Picture, decode_picture, encode_picture
from ..requests import GenerateResult, StageCall

TOLD = "result.json"
NAMES = [field.name for field in fields(GenerateResult) if field.name not in ("pictures", "calls")]


def pack_result(result: GenerateResult) -> bytes:
    """A zip file of it. Blocks."""
    told = {name: getattr(result, name) for name in NAMES}
    told["calls"] = [vars(call) for call in result.calls]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(TOLD, json.dumps(told))
        for index, picture in enumerate(result.pictures):
            archive.writestr(_name(index), encode_picture(picture, "png", {}))
    return file.getvalue()


def unpack_result(data: bytes, max_pixels: int) -> GenerateResult:
    """What was packed, which had so many pixels at most. Blocks."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        told: dict[str, Any] = json.loads(archive.read(TOLD))
        return GenerateResult(
            **{
                **told,
                "size": tuple(told["size"]),
                "calls": [StageCall(**call) for call in told["calls"]],
                "pictures": [
                    _picture(archive.read(_name(index)), max_pixels) for index in range(len(told["seeds"]))
                ],
            }
        )


def _name(index: int) -> str:
    return f"{index}.png"


def _picture(data: bytes, max_pixels: int) -> Picture:
    return decode_picture("result", data, max_pixels)
