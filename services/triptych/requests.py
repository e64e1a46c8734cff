"""What stage requests have in common: the batch, and how to denoise it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .fields import Fields
from .schedule import DEFAULT_SCHEDULE, SCHEDULES, Schedule, make_schedule
from .variants import Variant
from .wire import Shape

MAX_BATCH = 16
MAX_STEPS = 250
MAX_GUIDANCE = 100


@dataclass(frozen=True)
class DenoiseSettings:
    """How to denoise a batch: one seed an image, the schedule, and how far to go towards the prompt."""

    seeds: list[int]
    schedule: Schedule
    guidance_scale: float

    @property
    def batch_size(self) -> int:
        return len(self.seeds)

    @classmethod
    def read(cls, fields: Fields, variant: Variant) -> "DenoiseSettings":
        """From the keys that all stages that denoise share; raises InvalidField."""
        seeds = fields.seeds("seed", read_batch_size(fields))
        steps = fields.integer("num_steps", variant.num_steps, 1, MAX_STEPS)
        name = fields.choice("schedule", DEFAULT_SCHEDULE, list(SCHEDULES))
        guidance = fields.number("unconditional_guidance_scale", variant.guidance_scale, 0, MAX_GUIDANCE)
        return cls(seeds, make_schedule(steps, name), guidance)


def read_batch_size(fields: Fields) -> int:
    """`batch_size`, 1 to 16 and 1 if it is missing."""
    return fields.integer("batch_size", 1, 1, MAX_BATCH)


def read_tensors(
    fields: Fields, variant: Variant, batch_size: int, image_tensors: tuple[str, ...] = ()
) -> list[npt.NDArray[Any]]:
    """`inputs`: both contexts, float32 (batch, 77, width), then the named uint8 tensors of one image."""
    context: Shape = (batch_size, *variant.context)
    contexts: dict[str, tuple[npt.DTypeLike, Shape]] = dict.fromkeys(
        ("context", "unconditional_context"), (np.float32, context)
    )
    images: dict[str, tuple[npt.DTypeLike, Shape]] = {
        name: (np.uint8, shape) for name, shape in variant.shapes(*image_tensors).items()
    }
    return fields.tensors("inputs", contexts | images)
