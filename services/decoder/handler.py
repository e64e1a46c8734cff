"""The decoder as a Hugging Face Endpoint custom handler: latents become images."""

from typing import Any

import numpy as np

from triptych.decode import LatentDecoder
from triptych.fields import Fields
from triptych.info import describe_stage
from triptych.requests import read_batch_size, read_size
from triptych.variants import chosen_variant
from triptych.weights import Report, unreported
from triptych.wire import encode_tensor


class EndpointHandler:
    """`{"inputs": latent, "batch_size": 1}` to base64 images, uint8 (batch, height, width, 3).

    Extras: `height`, `width`, of the image in pixels.
    """

    def __init__(self, path: str = "", report: Report = unreported) -> None:
        self._variant = chosen_variant(report)
        self._decoder = LatentDecoder(self._variant, report)

    def __call__(self, data: dict[str, Any]) -> str:
        fields = Fields(data)
        latent = self._variant.shapes("latent", size=read_size(fields, self._variant))["latent"]
        shape = (read_batch_size(fields), *latent)
        return encode_tensor(self._decoder.images(fields.tensor("inputs", np.float32, shape)))

    def info(self) -> dict[str, Any]:
        shapes = self._variant.shapes("latent", "image")
        return describe_stage("decoder", self._variant, "decoder", shapes, [])
