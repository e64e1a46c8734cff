"""The decoder as a Hugging Face Endpoint custom handler: latents become images."""

from functools import cached_property
from typing import Any

import numpy as np

from triptych.decode import LatentDecoder
from triptych.encode import ImageEncoder, scaled
from triptych.fields import Fields
from triptych.info import describe_stage
from triptych.requests import read_batch_size, read_size
from triptych.variants import chosen_variant
from triptych.weights import Report, unreported
from triptych.wire import Tensors, encode_tensor

TASKS = ["decode", "encode"]
IMAGE_DTYPES = ["uint8", "float32"]


class EndpointHandler:
    """`{"inputs": latent, "batch_size": 1}` to base64 images, uint8 (batch, height, width, 3).

    Extras: `height`, `width`, of the image in pixels; `task`: "encode" makes the latent of an image
    instead, the mean of what the VAE's encoder finds; `image_dtype`: "float32" for images, in or out, that
    are float32 from -1 to 1, as the model makes them.
    """

    def __init__(self, path: str = "", report: Report = unreported) -> None:
        self._report = report
        self._variant = chosen_variant(report)
        self._variant.parts["image_encoder"].weights.fetch("image_encoder", report)
        self._decoder = LatentDecoder(self._variant, report)

    def __call__(self, data: dict[str, Any]) -> str:
        (answer,) = self.tensors(data).values()
        return encode_tensor(answer)

    def tensors(self, data: dict[str, Any]) -> Tensors:
        """The answer as it is before it is base64; `inputs` may be Tensors too."""
        fields = Fields(data)
        shapes = self._variant.shapes("latent", "image", size=read_size(fields, self._variant))
        batch = read_batch_size(fields)
        image_dtype = fields.choice("image_dtype", "uint8", IMAGE_DTYPES)
        if fields.choice("task", "decode", TASKS) == "encode":
            images = fields.tensor("inputs", "image", image_dtype, (batch, *shapes["image"]))
            return Tensors(latent=self._encoder.latents(scaled(images) if image_dtype == "uint8" else images))
        latents = fields.tensor("inputs", "latent", np.float32, (batch, *shapes["latent"]))
        decode = self._decoder.images if image_dtype == "uint8" else self._decoder.decoded
        return Tensors(image=decode(latents))

    def info(self) -> dict[str, Any]:
        shapes = self._variant.shapes("latent", "image")
        return describe_stage("decoder", self._variant, "decoder", shapes, ["task", "image_dtype"])

    @cached_property
    def _encoder(self) -> ImageEncoder:
        """Loaded by the first request that needs it; its file is here since the start."""
        return ImageEncoder(self._variant, self._report)
