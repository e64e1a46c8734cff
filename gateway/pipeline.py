"""Encode, denoise or inpaint, decode: the only place that knows the order.

Tensors are arrays here, whatever they travel as.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from opentelemetry.trace import Tracer

from triptych.tracing import UNTRACED
from triptych.wire import Array, InvalidField, Shape, Tensors

from .agreement import agree, likely_shape
from .codecs import CONTEXTS, Answer
from .deadline import Deadline
from .errors import StageFailed
from .images import Picture, Pixels, cover, flatten
from .info import LATENT_FACTOR, Infos, Size
from .offer import Offer, make_offer
from .plan import HANDED_ON, Plan, make_plan, unheeded
from .progress import NOBODY, Caller, Watcher
from .requests import GenerateRequest, GenerateResult, Inpainting, StageCall
from .routes import Route
from .spans import tell_of
from .stages import Stages
from .window import Window

DENOISERS = ("diffusion", "inpainting", "all_in_one")

Result = TypeVar("Result")


class Pipeline:
    """Turns a request into pictures."""

    def __init__(self, stages: Stages, seconds: float, state_every: int, tracer: Tracer = UNTRACED) -> None:
        self._stages = stages
        self._seconds = seconds
        self._state_every = state_every
        self._tracer = tracer

    async def offer(self, request: GenerateRequest) -> Offer:
        """What the stages can do that this request passes through. Raises as `generate` does."""
        request = replace(request, model=self._stages.model(request.model))
        return make_offer(await agree(self._routes(request, self._way(request), NOBODY)))

    async def generate(self, request: GenerateRequest, watcher: Watcher | None = None) -> GenerateResult:
        """The watcher is told how far it is. Raises the gateway's errors: InvalidRequest, Overloaded, or a
        StageError."""
        with self._tracer.start_as_current_span("generate"):
            result = await self._generate(request, watcher)
            tell_of(result)
            return result

    async def _generate(self, request: GenerateRequest, watcher: Watcher | None) -> GenerateResult:
        started = time.monotonic()
        request = replace(request, model=self._stages.model(request.model))
        way = self._way(request)
        routes = self._routes(request, way, Caller(request.client, watcher, self._state_every))
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

    def _routes(self, request: GenerateRequest, way: Sequence[str], caller: Caller) -> dict[str, Route]:
        deadline, needs = Deadline(self._seconds), _needs(request)
        return {
            stage.name: Route(stage, deadline, caller, needs.get(stage.name, ()))
            for stage in self._stages.pick(way, request.model)
        }

    def _way(self, request: GenerateRequest) -> tuple[str, ...]:
        """The stages that this request passes through, in order."""
        if request.inpainting:
            return "text_encoder", "inpainting", "decoder"
        if request.image is None and self._stages.all_in_one(request.model):
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
        start = await self._start(self._request.image, self.plan.size)
        latent = await self._denoise("diffusion", Tensors({**contexts, **start}), {})
        return [Picture(pixels) for pixels in await self._decode(latent)]

    async def _all_in_one(self) -> list[Pixels]:
        payload = {**self._prompts(), **self._denoising(), **self._size()}
        return await self._post("all_in_one", payload, self._images)

    async def _encode(self) -> Tensors:
        return await self._post("text_encoder", self._prompts(), partial(self._tensors, names=CONTEXTS))

    async def _start(self, image: Picture | None, size: Size | None) -> Tensors:
        """The latent to begin with, the same for every picture; nothing where they begin with noise."""
        if image is None or size is None:
            return Tensors()
        covered = await asyncio.to_thread(cover, image, size)
        inputs = Tensors(image=flatten(covered.pixels)[None])
        payload = {"inputs": inputs, "batch_size": 1, "task": "encode", **self._size()}
        encoded = await self._post("decoder", payload, partial(self._tensors, names=("latent",), batch=1))
        return Tensors(latent=encoded["latent"].repeat(self._request.num_images, axis=0))

    async def _denoise(self, stage: str, inputs: Tensors, more: dict[str, Any]) -> Tensors:
        payload = {"inputs": inputs, **self._batch(), **self._denoising(), **self._size(), **more}
        return await self._post(stage, payload, partial(self._tensors, names=("latent",)))

    async def _inpaint(self, contexts: Tensors, inpainting: Inpainting, size: Size) -> list[Picture]:
        window = Window.around(inpainting.repaint, size, inpainting.whole)
        tensors = await asyncio.to_thread(_tensors, window, inpainting)
        more: dict[str, Any] = {"num_resamples": inpainting.num_resamples}
        if inpainting.greys is not None:
            more["soft_mask"] = True
        latent = await self._denoise("inpainting", Tensors({**contexts, **tensors}), more)
        painted = await self._decode(latent)
        return await asyncio.to_thread(
            lambda: [
                window.paste(inpainting.picture, inpainting.repaint, pixels, inpainting.greys)
                for pixels in painted
            ]
        )

    async def _decode(self, latent: Tensors) -> list[Pixels]:
        return await self._post("decoder", {"inputs": latent, **self._batch(), **self._size()}, self._images)

    async def _post(
        self, stage: str, payload: dict[str, Any], read: Callable[[str, Answer], Awaitable[Result]]
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
        asked = {name: getattr(self._request, name) for name in HANDED_ON}
        return {
            "num_steps": self.plan.steps,
            "unconditional_guidance_scale": self.plan.guidance_scale,
            "seed": self.plan.seed,
            **{name: value for name, value in asked.items() if value is not None},
        }

    async def _tensors(self, stage: str, answer: Answer, names: Sequence[str], batch: int = 0) -> Tensors:
        batch = batch or self._request.num_images
        return Tensors({name: self._tensor(stage, answer, name, batch) for name in names})

    def _tensor(self, stage: str, answer: Answer, name: str, batch: int) -> Array:
        """A float32 tensor of the answer, flat where no stage announces its shape."""
        shape = self._shape(stage, name)
        try:
            tensor = answer.tensor(name, np.float32, shape and (batch, *shape))
        except InvalidField as error:
            likely = self._likely_shape(answer, name, batch)
            seemingly = f" (shape {list(likely)})" if likely else ""
            raise self._unusable(
                stage, f"answered a {name}{seemingly} that cannot be used: {error}"
            ) from None
        if shape is None and (likely := self._likely_shape(answer, name, batch)):
            self._routes[stage].learn(name, likely)
        return tensor

    def _shape(self, stage: str, name: str) -> Shape | None:
        """What the stage announces, or another that takes the same, without the batch axis; a latent is of
        the size that was chosen."""
        infos = (self._infos[stage], *self._infos.values())
        shape = next((info.shapes[name] for info in infos if info and name in info.shapes), None)
        if shape is None or name != "latent" or self.plan.chosen_size is None:
            return shape
        width, height = self.plan.chosen_size
        return height // LATENT_FACTOR, width // LATENT_FACTOR, shape[-1]

    def _likely_shape(self, answer: Answer, name: str, batch: int) -> Shape | None:
        """What the answer's length tells of its shape."""
        with suppress(InvalidField):
            return likely_shape(name, answer.tensor(name, np.float32, None).size // batch)
        return None

    async def _images(self, stage: str, answer: Answer) -> list[Pixels]:
        """uint8 (height, width, 3) each; a square is supposed where no size is known."""
        try:
            images = await self._read_images(answer)
        except InvalidField as error:
            raise self._unusable(stage, f"answered images that cannot be used: {error}") from None
        if self.plan.chosen_size is None:
            self._routes[stage].learn("image", images[0].shape)
        return images

    async def _read_images(self, answer: Answer) -> list[Pixels]:
        """A thread of its own for what has to be decoded."""
        asked = self._request.num_images, self.plan.size
        return list(
            answer.images(*asked) if answer.is_raw else await asyncio.to_thread(answer.images, *asked)
        )

    def _unusable(self, stage: str, what: str) -> StageFailed:
        todo = f"Check that {stage.upper()}_URL is the {stage} stage of the same model as the others"
        return self._routes[stage].failed(what, todo)


def _tensors(window: Window, inpainting: Inpainting) -> Tensors:
    """The image and the mask of the stage contract."""
    return Tensors(
        image=window.picture_for_model(inpainting.picture),
        mask=window.keep_for_model(inpainting.repaint, inpainting.greys),
    )


def _needs(request: GenerateRequest) -> dict[str, tuple[str, ...]]:
    """Extras without which a stage would make another picture than the one that is asked for."""
    if request.image is not None:
        return {"diffusion": ("strength",), "decoder": ("task",)}
    soft = request.inpainting is not None and request.inpainting.greys is not None
    return {"inpainting": ("soft_mask",)} if soft else {}
