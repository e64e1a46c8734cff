"""Encode, denoise or inpaint, decode: the only place that knows the order.

Contexts and latents pass from stage to stage as the base64 strings they came in.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from triptych.wire import InvalidField, decode_tensor, describe, encode_tensor

from .errors import StageFailed
from .images import Picture, Pixels
from .info import LATENT_FACTOR, Infos, Size
from .plan import Plan, make_plan
from .replicas import Reply
from .requests import GenerateRequest, GenerateResult, Inpainting, StageCall
from .stages import Stage, Stages
from .window import Window

DENOISERS = ("diffusion", "inpainting", "all_in_one")
CHANNELS = 3
FLOAT_BYTES = 4


class Pipeline:
    """Turns a request into pictures."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    async def generate(self, request: GenerateRequest) -> GenerateResult:
        """Raises the gateway's errors: InvalidRequest, Overloaded, or a StageError."""
        started = time.monotonic()
        way = self._way(request)
        stages = {stage.name: stage for stage in self._stages.pick(way)}
        announced = await asyncio.gather(*(stage.info() for stage in stages.values()))
        infos = dict(zip(way, announced, strict=True))
        denoiser = next(name for name in way if name in DENOISERS)
        run = Run(stages, make_plan(request, infos, denoiser), infos)
        pictures = await run.pictures(way)
        info = infos[denoiser]
        return GenerateResult(
            pictures=pictures,
            seeds=run.plan.seeds,
            steps=run.plan.steps,
            guidance_scale=run.plan.guidance_scale,
            size=run.plan.size or (pictures[0].width, pictures[0].height),
            model=info.model.name if info else None,
            model_hash=info.model.hash if info else None,
            calls=run.calls,
            seconds=round(time.monotonic() - started, 4),
            warnings=run.plan.warnings,
        )

    def _way(self, request: GenerateRequest) -> tuple[str, ...]:
        """The stages that this request passes through, in order."""
        if request.inpainting:
            return "text_encoder", "inpainting", "decoder"
        if "all_in_one" in self._stages:
            return ("all_in_one",)
        return "text_encoder", "diffusion", "decoder"


class Run:
    """One request on its way through the stages."""

    def __init__(self, stages: Mapping[str, Stage], plan: Plan, infos: Infos) -> None:
        self.plan = plan
        self.calls: list[StageCall] = []
        self._stages = stages
        self._infos = infos
        self._request = plan.request

    async def pictures(self, way: tuple[str, ...]) -> list[Picture]:
        if way == ("all_in_one",):
            return [Picture(pixels) for pixels in await self._all_in_one()]
        contexts = await self._encode()
        if self._request.inpainting and self.plan.size:
            return await self._inpaint(contexts, self._request.inpainting, self.plan.size)
        latent = await self._denoise("diffusion", contexts, {})
        return [Picture(pixels) for pixels in await self._decode(latent, self.plan.size)]

    async def _all_in_one(self) -> list[Pixels]:
        reply = await self._post("all_in_one", {**self._prompts(), **self._denoising(), **self._size()})
        return self._images("all_in_one", reply.value, self.plan.size)

    async def _encode(self) -> list[str]:
        value = (await self._post("text_encoder", self._prompts())).value
        if not isinstance(value, dict):
            raise self._unusable("text_encoder", f"answered {describe(value)} where an object belongs")
        return [
            self._tensor("text_encoder", value.get(f"{tensor}_b64str"), tensor)
            for tensor in ("context", "unconditional_context")
        ]

    async def _denoise(self, stage: str, inputs: list[str], more: dict[str, Any]) -> str:
        payload = {"inputs": inputs, **self._batch(), **self._denoising(), **self._size(), **more}
        return self._tensor(stage, (await self._post(stage, payload)).value, "latent")

    async def _inpaint(self, contexts: list[str], inpainting: Inpainting, size: Size) -> list[Picture]:
        window = Window.around(inpainting.repaint, size)
        tensors = await asyncio.to_thread(_tensors, window, inpainting)
        latent = await self._denoise(
            "inpainting", [*contexts, *tensors], {"num_resamples": inpainting.num_resamples}
        )
        painted = await self._decode(latent, size)
        return await asyncio.to_thread(
            lambda: [window.paste(inpainting.picture, inpainting.repaint, pixels) for pixels in painted]
        )

    async def _decode(self, latent: str, size: Size | None) -> list[Pixels]:
        reply = await self._post("decoder", {"inputs": latent, **self._batch(), **self._size()})
        return self._images("decoder", reply.value, size)

    async def _post(self, stage: str, payload: dict[str, Any]) -> Reply:
        reply = await self._stages[stage].post(payload)
        self.calls.append(reply.call)
        return reply

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

    def _tensor(self, stage: str, value: Any, tensor: str) -> str:
        """A base64 float32 tensor as it came, its length checked where its shape is known."""
        if not isinstance(value, str):
            raise self._unusable(stage, f"answered {describe(value)} where a {tensor} in base64 belongs")
        shape = self._shape(stage, tensor)
        if shape is None:
            return value
        size = math.prod(shape) * self._request.num_images * FLOAT_BYTES
        characters = 4 * math.ceil(size / 3)
        if len(value) != characters:
            raise self._unusable(
                stage,
                f"answered a {tensor} of {len(value)} characters where {characters} belong, the base64 of "
                f"{self._request.num_images} x {list(shape)} float32",
            )
        return value

    def _shape(self, stage: str, tensor: str) -> tuple[int, ...] | None:
        """What the stage announces, without the batch axis; a latent is of the size that was chosen."""
        info = self._infos[stage]
        shape = info.shapes.get(tensor) if info else None
        if shape is None or tensor != "latent" or self.plan.chosen_size is None:
            return shape
        width, height = self.plan.chosen_size
        return height // LATENT_FACTOR, width // LATENT_FACTOR, shape[-1]

    def _images(self, stage: str, value: Any, size: Size | None) -> list[Pixels]:
        """uint8 (height, width, 3) each; a square is supposed where no size is known."""
        if not isinstance(value, str):
            raise self._unusable(stage, f"answered {describe(value)} where images in base64 belong")
        width, height = size or self._square(stage, value)
        try:
            images = decode_tensor(
                "images", value, np.uint8, (self._request.num_images, height, width, CHANNELS)
            )
        except InvalidField as error:
            raise self._unusable(stage, f"answered images that cannot be used: {error}") from None
        return list(images)

    def _square(self, stage: str, value: str) -> tuple[int, int]:
        size = len(value) // 4 * 3 - value[-2:].count("=")
        side = math.isqrt(size // (self._request.num_images * CHANNELS))
        if side == 0 or side * side * self._request.num_images * CHANNELS != size:
            raise self._unusable(
                stage,
                f"answered {size} bytes of images, which are not {self._request.num_images} square pictures. "
                "If the model's pictures are not square, give their size",
            )
        return side, side

    def _unusable(self, stage: str, what: str) -> StageFailed:
        todo = f"Check that {stage.upper()}_URL is a {stage} stage with the model of the others"
        return self._stages[stage].failed(what, todo)


def _tensors(window: Window, inpainting: Inpainting) -> list[str]:
    """The image and the mask of the stage contract."""
    return [
        encode_tensor(window.picture_for_model(inpainting.picture)),
        encode_tensor(window.keep_for_model(inpainting.repaint)),
    ]
