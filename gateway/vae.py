"""The decoder stage as a VAE of its own: images of latents, latents of images, without a prompt."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np

from triptych.remote_vae import RemoteAnswer, RemoteDecode, RemoteEncode
from triptych.wire import Array, InvalidField

from .codecs import Answer
from .deadline import Deadline
from .info import announces
from .routes import Route
from .stages import Stages

DECODER = "decoder"
IMAGE_DTYPE, TASK = "image_dtype", "task"
"""The extras of a decoder that gives images as the model makes them, and of one that encodes."""


class RemoteVae:
    """Does what diffusers' `remote_decode` and `remote_encode` ask, with the decoder stage, in so many
    seconds at most."""

    def __init__(self, stages: Stages, seconds: float) -> None:
        self._stages = stages
        self._seconds = seconds

    async def decode(self, asked: RemoteDecode) -> RemoteAnswer:
        """From a decoder that announces no float32 images they are computed out of uint8.

        Raises InvalidRequest for a size that the decoder lacks, or a StageError.
        """
        route = self._route()
        info = await route.ask_info()
        batch, height, width, _ = asked.shape
        if not asked.is_uint8 and announces(info, IMAGE_DTYPE):
            images = await _posted(
                route, asked.payload, lambda answer: answer.tensor("image", np.float32, asked.shape)
            )
            return await asyncio.to_thread(asked.answer, images)
        images = await _posted(route, asked.payload, lambda answer: answer.images(batch, (width, height)))
        if not asked.is_uint8:
            images = images.astype(np.float32) / np.float32(127.5) - 1
        return await asyncio.to_thread(asked.answer, images)

    async def encode(self, asked: RemoteEncode) -> RemoteAnswer:
        """Raises InvalidRequest for a size that the decoder lacks, or a StageError."""
        route = self._route(TASK)
        await route.ask_info()
        return asked.answer(
            await _posted(
                route, asked.payload, lambda answer: answer.tensor("latent", np.float32, asked.shape)
            )
        )

    def _route(self, *needs: str) -> Route:
        (stage,) = self._stages.pick([DECODER], None)
        return Route(stage, Deadline(self._seconds), needs=needs)


async def _posted(route: Route, payload: dict[str, Any], make: Callable[[Answer], Array]) -> Array:
    """What `make` makes of the answer."""

    async def read(answer: Answer) -> Array:
        try:
            return await asyncio.to_thread(make, answer)
        except InvalidField as error:
            todo = "Check that DECODER_URL is a decoder stage"
            raise route.failed(f"answered what cannot be used: {error}", todo) from None

    tensor: Array = (await route.post(payload, read)).value
    return tensor
