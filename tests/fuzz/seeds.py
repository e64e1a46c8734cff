"""Sound inputs for each target: where a search for unsound ones begins."""

import base64
import io
import json
from collections.abc import Iterator

import numpy as np
from PIL import Image

from triptych.wire import FIELDS, Tensors, pack

SIDE = 8


def seeds(target: str) -> list[bytes]:
    """For the target of this name."""
    match target:
        case "pictures":
            return list(_files())
        case "texts":
            return [base64.b64encode(file) for file in _files()]
        case "tensors" | "states":
            return list(_tensors())
        case "answers":
            return [
                _json(_text()),
                _json({"context_b64str": _text(), "unconditional_context_b64str": _text()}),
            ]
        case "stage_requests":
            return [_json({"inputs": "a red apple", "batch_size": 1}), _json({"inputs": [_text(), _text()]})]
        case _:
            return [_json(request) for request in REQUESTS]


REQUESTS = (
    {
        "prompt": "a red apple",
        "image": "AAAA",
        "mask": "AAAA",
        "steps": 3,
        "guidance_scale": 7.5,
        "size": "64x64",
    },
    {"kind": "txt2img", "request": {"prompt": "a red apple", "seed": 1}, "webhook": None},
    {"prompt": "a red apple", "n": 2, "size": "512x512", "response_format": "b64_json", "partial_images": 1},
)


def _files() -> Iterator[bytes]:
    for mode in ("RGB", "RGBA", "L", "P", "1"):
        for kind in ("PNG", "WEBP", "JPEG"):
            if (
                kind == "PNG"
                or (mode in ("RGB", "L") and kind == "JPEG")
                or (mode == "RGBA" and kind == "WEBP")
            ):
                file = io.BytesIO()
                Image.new(mode, (SIDE, SIDE), 1).save(file, kind)
                yield file.getvalue()


def _tensors() -> Iterator[bytes]:
    yield pack(Tensors(latent=np.zeros((1, SIDE, SIDE, 4), np.float32)), {})
    yield pack(Tensors(context=np.zeros((1, 7, 8), np.float32)), {FIELDS: _json({"batch_size": 1}).decode()})
    yield pack(Tensors({"image.0": np.frombuffer(next(_files()), np.uint8)}), {"image_format": "png"})
    yield pack(
        {
            "latent": np.zeros((SIDE, SIDE, 4), np.float32),
            "memory": np.zeros((1, SIDE, SIDE, 4), np.float32),
            "position": np.array([1, 0], np.int64).view(np.uint8),
            "noise": np.array([1, 2], np.uint64).view(np.uint8),
        },
        {},
    )


def _text() -> str:
    return base64.b64encode(np.zeros((1, SIDE, SIDE, 4), np.float32).tobytes()).decode()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
