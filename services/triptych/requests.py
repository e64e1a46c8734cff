"""What stage requests have in common: the batch, and how to denoise it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .fields import Fields
from .samplers import DEFAULT_SAMPLER, SAMPLERS, Sampler
from .schedule import SCHEDULES, Schedule, make_schedule
from .variants import Size, Variant
from .wire import InvalidField, Shape

MAX_BATCH = 16
MAX_STEPS = 250
MAX_GUIDANCE = 100


@dataclass(frozen=True)
class DenoiseSettings:
    """How to denoise a batch: a seed for each image, and what all share.

    `guidance_scale` is how far to go towards the prompt, `size` (height, width) in pixels.
    """

    seeds: list[int]
    schedule: Schedule
    guidance_scale: float
    size: Size
    sampler: Sampler = SAMPLERS[DEFAULT_SAMPLER]

    @property
    def batch_size(self) -> int:
        return len(self.seeds)

    @classmethod
    def read(cls, fields: Fields, variant: Variant) -> "DenoiseSettings":
        """From the keys that all stages that denoise share; raises InvalidField."""
        seeds = fields.seeds("seed", read_batch_size(fields))
        steps = fields.integer("num_steps", variant.num_steps, 1, MAX_STEPS)
        sampler = SAMPLERS[fields.choice("sampler", DEFAULT_SAMPLER, list(SAMPLERS))]
        schedule = make_schedule(steps, fields.choice("schedule", sampler.schedule, list(SCHEDULES)))
        guidance = fields.number("unconditional_guidance_scale", variant.guidance_scale, 0, MAX_GUIDANCE)
        return cls(seeds, schedule, guidance, read_size(fields, variant), sampler)


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
    fields: Fields, variant: Variant, settings: DenoiseSettings, image_tensors: tuple[str, ...] = ()
) -> list[npt.NDArray[Any]]:
    """`inputs`: both contexts, float32 (batch, 77, width), then the named uint8 tensors of one image."""
    context: Shape = (settings.batch_size, *variant.context)
    contexts: dict[str, tuple[npt.DTypeLike, Shape]] = dict.fromkeys(
        ("context", "unconditional_context"), (np.float32, context)
    )
    images: dict[str, tuple[npt.DTypeLike, Shape]] = {
        name: (np.uint8, shape) for name, shape in variant.shapes(*image_tensors, size=settings.size).items()
    }
    return fields.tensors("inputs", contexts | images)
