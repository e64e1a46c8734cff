"""Encode, denoise or inpaint, decode: the only place that knows the order.

Contexts and latents pass from stage to stage as the base64 strings they came in.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from triptych.wire import InvalidField, decode_tensor, describe, encode_tensor

from .agreement import agree, likely_shape
from .deadline import Deadline
from .errors import StageFailed
from .images import Picture, Pixels
from .info import LATENT_FACTOR, Infos, Size
from .plan import Plan, make_plan, unheeded
from .requests import GenerateRequest, GenerateResult, Inpainting, StageCall
from .routes import Route
from .stages import Stages
from .window import Window

DENOISERS = ("diffusion", "inpainting", "all_in_one")
CHANNELS = 3
FLOAT_BYTES = 4

Result = TypeVar("Result")


class Pipeline:
    """Turns a request into pictures."""

    def __init__(self, stages: Stages, seconds: float) -> None:
        self._stages = stages
        self._seconds = seconds

    async def generate(self, request: GenerateRequest) -> GenerateResult:
        """Raises the gateway's errors: InvalidRequest, Overloaded, or a StageError."""
        started = time.monotonic()
        request = replace(request, model=self._stages.model(request.model))
        way, deadline = self._way(request), Deadline(self._seconds)
        routes = {stage.name: Route(stage, deadline) for stage in self._stages.pick(way, request.model)}
        infos = await agree(routes)
        denoiser = next(name for name in way if name in DENOISERS)
        run = Run(routes, make_plan(request, infos, denoiser), infos)
        pictures = await run.pictures(way)
        served = {name: route.served for name, route in routes.items()}
        call = next(call for call in run.calls if call.stage == denoiser)
        return GenerateResult(
            pictures=pictures,
            seeds=run.plan.seeds(served[denoiser]),
            steps=run.plan.steps,
            guidance_scale=run.plan.guidance_scale,
            size=run.plan.size or (pictures[0].width, pictures[0].height),
            model=call.model or request.model,
            model_hash=call.model_hash,
            calls=run.calls,
            seconds=round(time.monotonic() - started, 4),
            warnings=[
                *unheeded(request, served, denoiser),
                *(warning for route in routes.values() for warning in route.warnings),
            ],
        )

    def _way(self, request: GenerateRequest) -> tuple[str, ...]:
        """The stages that this request passes through, in order."""
        if request.inpainting:
            return "text_encoder", "inpainting", "decoder"
        if self._stages.all_in_one(request.model):
            return ("all_in_one",)
        return "text_encoder", "diffusion", "decoder"


class Run:
    """One request on its way through the stages."""

    def __init__(self, routes: Mapping[str, Route], plan: Plan, infos: Infos) -> None:
        self.plan = plan
        self.calls: list[StageCall] = []
        self._routes = routes
        self._infos = infos
        self._request = plan.request

    async def pictures(self, way: tuple[str, ...]) -> list[Picture]:
        if way == ("all_in_one",):
            return [Picture(pixels) for pixels in await self._all_in_one()]
        contexts = await self._encode()
        if self._request.inpainting and self.plan.size:
            return await self._inpaint(contexts, self._request.inpainting, self.plan.size)
        latent = await self._denoise("diffusion", contexts, {})
        return [Picture(pixels) for pixels in await self._decode(latent)]

    async def _all_in_one(self) -> list[Pixels]:
        payload = {**self._prompts(), **self._denoising(), **self._size()}
        return await self._post("all_in_one", payload, self._images)

    async def _encode(self) -> list[str]:
        return await self._post("text_encoder", self._prompts(), self._contexts)

    async def _denoise(self, stage: str, inputs: list[str], more: dict[str, Any]) -> str:
        payload = {"inputs": inputs, **self._batch(), **self._denoising(), **self._size(), **more}
        return await self._post(stage, payload, partial(self._tensor, tensor="latent"))

    async def _inpaint(self, contexts: list[str], inpainting: Inpainting, size: Size) -> list[Picture]:
        window = Window.around(inpainting.repaint, size)
        tensors = await asyncio.to_thread(_tensors, window, inpainting)
        latent = await self._denoise(
            "inpainting", [*contexts, *tensors], {"num_resamples": inpainting.num_resamples}
        )
        painted = await self._decode(latent)
        return await asyncio.to_thread(
            lambda: [window.paste(inpainting.picture, inpainting.repaint, pixels) for pixels in painted]
        )

    async def _decode(self, latent: str) -> list[Pixels]:
        return await self._post("decoder", {"inputs": latent, **self._batch(), **self._size()}, self._images)

    async def _post(
        self, stage: str, payload: dict[str, Any], read: Callable[[str, Any], Awaitable[Result]]
    ) -> Result:
        """What `read` makes of the answer; what it cannot use is the replica's failure."""
        reply = await self._routes[stage].post(payload, partial(read, stage))
        self.calls.append(reply.call)
        value: Result = reply.value
        return value

    def _batch(self) -> dict[str, Any]:
        return {"batch_size": self._request.num_images}

    def _size(self) -> dict[str, int]:
        """What a stage is told of a size that is not its own."""
        if self.plan.chosen_size is None:
            return {}
        width, height = self.plan.chosen_size
        return {"height": height, "width": width}

    def _prompts(self) -> dict[str, Any]:
        negative = self._request.negative_prompt
        extras = {"negative_prompt": negative} if negative else {}
        return {"inputs": self._request.prompt, **self._batch(), **extras}

    def _denoising(self) -> dict[str, Any]:
        asked = {"sampler": self._request.sampler, "schedule": self._request.schedule}
        return {
            "num_steps": self.plan.steps,
            "unconditional_guidance_scale": self.plan.guidance_scale,
            "seed": self.plan.seed,
            **{name: value for name, value in asked.items() if value},
        }

    async def _contexts(self, stage: str, value: Any) -> list[str]:
        if not isinstance(value, dict):
            raise self._unusable(stage, f"answered {describe(value)} where an object belongs")
        return [
            await self._tensor(stage, value.get(f"{tensor}_b64str"), tensor)
            for tensor in ("context", "unconditional_context")
        ]

    async def _tensor(self, stage: str, value: Any, tensor: str) -> str:
        """A base64 float32 tensor as it came, its length checked where its shape is known."""
        if not isinstance(value, str):
            raise self._unusable(stage, f"answered {describe(value)} where a {tensor} in base64 belongs")
        numbers = _bytes(value) // FLOAT_BYTES // self._request.num_images
        shape, likely = self._shape(stage, tensor), likely_shape(tensor, numbers)
        if shape is None:
            if likely:
                self._routes[stage].learn(tensor, likely)
            return value
        size = math.prod(shape) * self._request.num_images * FLOAT_BYTES
        characters = 4 * math.ceil(size / 3)
        if len(value) != characters:
            seemingly = f" (shape {list(likely)})" if likely else ""
            raise self._unusable(
                stage,
                f"answered a {tensor} of {len(value)} characters{seemingly} where {characters} belong, the "
                f"base64 of {self._request.num_images} x {list(shape)} float32",
            )
        return value

    def _shape(self, stage: str, tensor: str) -> tuple[int, ...] | None:
        """What the stage announces, or another that takes the same, without the batch axis; a latent is of
        the size that was chosen."""
        infos = (self._infos[stage], *self._infos.values())
        shape = next((info.shapes[tensor] for info in infos if info and tensor in info.shapes), None)
        if shape is None or tensor != "latent" or self.plan.chosen_size is None:
            return shape
        width, height = self.plan.chosen_size
        return height // LATENT_FACTOR, width // LATENT_FACTOR, shape[-1]

    async def _images(self, stage: str, value: Any) -> list[Pixels]:
        """uint8 (height, width, 3) each; a square is supposed where no size is known."""
        if not isinstance(value, str):
            raise self._unusable(stage, f"answered {describe(value)} where images in base64 belong")
        width, height = self.plan.size or self._square(stage, value)
        try:
            images = decode_tensor(
                "images", value, np.uint8, (self._request.num_images, height, width, CHANNELS)
            )
        except InvalidField as error:
            raise self._unusable(stage, f"answered images that cannot be used: {error}") from None
        if self.plan.chosen_size is None:
            self._routes[stage].learn("image", (height, width, CHANNELS))
        return list(images)

    def _square(self, stage: str, value: str) -> tuple[int, int]:
        size = _bytes(value)
        shape = likely_shape("image", size // self._request.num_images)
        if shape is None or math.prod(shape) * self._request.num_images != size:
            raise self._unusable(
                stage,
                f"answered {size} bytes of images, which are not {self._request.num_images} square pictures. "
                "If the model's pictures are not square, give their size",
            )
        return shape[1], shape[0]

    def _unusable(self, stage: str, what: str) -> StageFailed:
        todo = f"Check that {stage.upper()}_URL is a {stage} stage with the model of the others"
        return self._routes[stage].failed(what, todo)


def _bytes(text: str) -> int:
    """How many bytes the base64 is of."""
    return len(text) // 4 * 3 - text[-2:].count("=")


def _tensors(window: Window, inpainting: Inpainting) -> list[str]:
    """The image and the mask of the stage contract."""
    return [
        encode_tensor(window.picture_for_model(inpainting.picture)),
        encode_tensor(window.keep_for_model(inpainting.repaint)),
    ]
