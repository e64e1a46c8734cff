"""What stage requests have in common: the batch, and how to denoise it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .engine import Guidance
from .fields import Fields
from .samplers import DEFAULT_SAMPLER, NOISE, NOISES, SAMPLERS, Sampler, State
from .schedule import SCHEDULES, Schedule, make_schedule
from .variants import Size, Variant
from .wire import InvalidField, Shape, decode_text, unpack

MAX_BATCH = 16
MAX_STEPS = 250
MAX_GUIDANCE = 100
MAX_CLIENT = 200
MAX_INTERVAL = 10
OF_ONE_IMAGE = ("image", "mask")
MAX_STATE_BYTES = 3 * 2**19
"""Of one picture's state in base64, in which three latents may be: 1024 pixels square make 1.05 MB."""


@dataclass(frozen=True)
class DenoiseSettings:
    """How to denoise a batch: a seed for each image, and what all share.

    `guidance_scale` is how far to go towards the prompt, in the steps from `guidance_start` to
    `guidance_end` (shares of the denoising); `size` (height, width) in pixels; `strength` is how much of an
    image given is made anew, 1 for all of it; in one call of `deep_interval` all of the model is run, in
    the others its shallow layers; `noise` names what seeds draw from; `client` is in whose
    turn it is done; `resumed` are states to go on from.
    """

    seeds: list[int]
    schedule: Schedule
    guidance_scale: float
    size: Size
    sampler: Sampler = SAMPLERS[DEFAULT_SAMPLER]
    guidance_start: float = 0.0
    guidance_end: float = 1.0
    strength: float = 1.0
    deep_interval: int = 1
    noise: str = NOISE
    client: str = ""
    resumed: list[State] | None = None

    @property
    def batch_size(self) -> int:
        return len(self.seeds)

    @property
    def guidance(self) -> Guidance:
        return Guidance(self.guidance_scale, self.guidance_start, self.guidance_end)

    @classmethod
    def read(cls, fields: Fields, variant: Variant) -> "DenoiseSettings":
        """From the keys that all stages that denoise share; raises InvalidField."""
        seeds = fields.seeds("seed", read_batch_size(fields))
        steps = fields.integer("num_steps", variant.num_steps, 1, MAX_STEPS)
        sampler = SAMPLERS[fields.choice("sampler", DEFAULT_SAMPLER, list(SAMPLERS))]
        schedule = make_schedule(steps, fields.choice("schedule", sampler.schedule, list(SCHEDULES)))
        size = read_size(fields, variant)
        return cls(
            seeds,
            schedule,
            fields.number("unconditional_guidance_scale", variant.guidance_scale, 0, MAX_GUIDANCE),
            size,
            sampler,
            guidance_start=fields.number("guidance_start", 0, 0, 1),
            guidance_end=fields.number("guidance_end", 1, 0, 1),
            strength=fields.number("strength", 1, 0, 1),
            deep_interval=fields.integer("deep_interval", 1, 1, MAX_INTERVAL),
            noise=fields.choice("noise", NOISE, NOISES),
            client=fields.text("client", "", MAX_CLIENT),
            resumed=_read_states(
                fields, variant.shapes("latent", size=size)["latent"], len(seeds), schedule, sampler
            ),
        )


def _read_states(
    fields: Fields, shape: Shape, batch: int, schedule: Schedule, sampler: Sampler
) -> list[State] | None:
    """`resume`: the states of every image, as an engine gave them, in base64; None where there is none."""
    text = fields.text("resume", "", batch * MAX_STATE_BYTES)
    if not text:
        return None
    must = f"base64 of safetensors with {batch} states of this request"
    tensors, _ = unpack("resume", decode_text("resume", must, text))
    try:
        return [_state(tensors, f"{index}.", shape, len(schedule), sampler) for index in range(batch)]
    except (KeyError, ValueError) as error:
        raise InvalidField("resume", must, f"something else ({error})"[:200]) from None


def _state(
    tensors: dict[str, npt.NDArray[Any]], prefix: str, shape: Shape, steps: int, sampler: Sampler
) -> State:
    own = {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
    state = State.of_travelled(own, shape)
    if state.step > steps or not np.isfinite(state.latent).all():
        raise ValueError(f"step {state.step} of {steps}, or a latent that is not finite")
    if len(state.memory) not in (0, sampler.remembers):
        raise ValueError(
            f"a memory of {len(state.memory)} latents, where this sampler has {sampler.remembers}"
        )
    return state


def read_batch_size(fields: Fields) -> int:
    """`batch_size`, 1 to 16 and 1 if it is missing."""
    return fields.integer("batch_size", 1, 1, MAX_BATCH)


def read_size(fields: Fields, variant: Variant) -> Size:
    """`height` and `width` in pixels, the variant's own where they are missing."""
    return _read_side(fields, "height", variant), _read_side(fields, "width", variant)


def _read_side(fields: Fields, key: str, variant: Variant) -> int:
    sizes = variant.sizes
    side = fields.integer(key, variant.image_size, sizes.min, sizes.max)
    if side % sizes.multiple:
        raise InvalidField(key, f"a multiple of {sizes.multiple} from {sizes.min} to {sizes.max}", side)
    return side


def read_tensors(
    fields: Fields, variant: Variant, settings: DenoiseSettings, more: tuple[str, ...] = ()
) -> list[npt.NDArray[Any]]:
    """`inputs`: both contexts, float32 (batch, 77, width), then those named: uint8 tensors of one image, or
    float32 latents of all."""
    shapes = variant.shapes("context", "unconditional_context", *more, size=settings.size)
    return fields.tensors(
        "inputs",
        {
            name: (np.uint8, shape) if name in OF_ONE_IMAGE else (np.float32, (settings.batch_size, *shape))
            for name, shape in shapes.items()
        },
    )
