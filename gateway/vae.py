"""The decoder stage as a VAE of its own: images of latents, latents of images, without a prompt."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from triptych.remote_vae import RemoteAnswer, RemoteDecode, RemoteEncode
from triptych.wire import Array, InvalidField

from .codecs import Answer
from .deadline import Deadline
from .info import announces
from .requests import StageCall
from .routes import Route
from .stages import Stages

DECODER = "decoder"
IMAGE_DTYPE, TASK = "image_dtype", "task"
"""The extras of a decoder that gives images as the model makes them, and of one that encodes."""


@dataclass(frozen=True)
class RemoteResult:
    """The answer, with what the decoder did for it."""

    answer: RemoteAnswer
    calls: list[StageCall]
    seconds: float
    warnings: list[str]


class RemoteVae:
    """Does what diffusers' `remote_decode` and `remote_encode` ask, with the decoder stage, in so many
    seconds at most."""

    def __init__(self, stages: Stages, seconds: float) -> None:
        self._stages = stages
        self._seconds = seconds

    async def decode(self, asked: RemoteDecode) -> RemoteResult:
        """From a decoder that announces no float32 images they are computed out of uint8.

        Raises InvalidRequest for a size that the decoder lacks, or a StageError.
        """
        work = self._begin()
        await work.route.ask_info()
        batch, height, width, _ = asked.shape

        def read(answer: Answer) -> Array:
            """By what the decoder announces that answers, be it another than was asked first."""
            if not asked.is_uint8 and announces(work.route.served, IMAGE_DTYPE):
                return answer.tensor("image", np.float32, asked.shape)
            images = answer.images(batch, (width, height))
            return images if asked.is_uint8 else images.astype(np.float32) / np.float32(127.5) - 1

        images = await work.post(asked.payload, read)
        return work.result(await asyncio.to_thread(asked.answer, images))

    async def encode(self, asked: RemoteEncode) -> RemoteResult:
        """Raises InvalidRequest for a size that the decoder lacks, or a StageError."""
        work = self._begin(TASK)
        await work.route.ask_info()
        latents = await work.post(
            asked.payload, lambda answer: answer.tensor("latent", np.float32, asked.shape)
        )
        return work.result(asked.answer(latents))

    def _begin(self, *needs: str) -> "_Work":
        (stage,) = self._stages.pick([DECODER], None)
        return _Work(Route(stage, Deadline(self._seconds), needs=needs))


class _Work:
    """One request at the decoder, from now on."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self._calls: list[StageCall] = []
        self._started = time.monotonic()

    async def post(self, payload: dict[str, Any], make: Callable[[Answer], Array]) -> Array:
        """What `make` makes of the answer."""

        async def read(answer: Answer) -> Array:
            try:
                return await asyncio.to_thread(make, answer)
            except InvalidField as error:
                todo = "Check that DECODER_URL is a decoder stage"
                raise self.route.failed(f"answered what cannot be used: {error}", todo) from None

        reply = await self.route.post(payload, read)
        self._calls.append(reply.call)
        tensor: Array = reply.value
        return tensor

    def result(self, answer: RemoteAnswer) -> RemoteResult:
        seconds = round(time.monotonic() - self._started, 4)
        return RemoteResult(answer, self._calls, seconds, self.route.warnings)
