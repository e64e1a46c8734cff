"""What a stage says about itself on `GET /info`."""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from . import __version__
from .requests import MAX_BATCH, MAX_STEPS
from .samplers import NOISE, NOISES, SAMPLERS
from .schedule import SCHEDULES
from .variants import PROMPT_TOKENS, Variant
from .weights import short_hash
from .wire import Shape

DTYPES = {
    "context": "float32",
    "unconditional_context": "float32",
    "latent": "float32",
    "image": "uint8",
    "mask": "uint8",
}


DENOISING_EXTRAS = [
    "seed",
    "noise",
    "sampler",
    "schedule",
    "guidance_interval",
    "deep_interval",
    "client",
    "resume",
]
"""What every stage that denoises heeds."""


def describe_stage(
    stage: str, variant: Variant, part: str, shapes: Mapping[str, Shape], extras: list[str]
) -> dict[str, Any]:
    """The stage's own card: model, shapes without the batch axis, dtypes, limits, extras and versions."""
    card: dict[str, Any] = {
        "stage": stage,
        "model": {
            "variant": variant.name,
            "name": variant.title,
            "hash": short_hash(variant.parts[part].weights, part),
        },
        "shapes": {name: list(shape) for name, shape in shapes.items()},
        "dtypes": {name: DTYPES[name] for name in shapes},
        "dtype": variant.dtype,
        "limits": {"batch_size": MAX_BATCH, "prompt_tokens": PROMPT_TOKENS},
        "extras": extras,
        "versions": _versions(),
    }
    if part != "text_encoder" and variant.sizes.min != variant.sizes.max:
        card["sizes"] = asdict(variant.sizes)
        card["extras"] = [*extras, "height", "width"]
    return card


def describe_denoising_stage(
    stage: str, variant: Variant, shapes: Mapping[str, Shape], extras: list[str]
) -> dict[str, Any]:
    """The card of a stage that denoises: also its defaults, noise, samplers, schedules and how many steps."""
    card = describe_stage(stage, variant, "diffusion", shapes, [*DENOISING_EXTRAS, *extras])
    card["limits"]["num_steps"] = MAX_STEPS
    return card | {
        "defaults": {
            "num_steps": variant.num_steps,
            "unconditional_guidance_scale": variant.guidance_scale,
        },
        "noise": NOISE,
        "noises": list(NOISES),
        "samplers": list(SAMPLERS),
        "schedules": list(SCHEDULES),
    }


def _versions() -> dict[str, str]:
    import keras

    return {
        "triptych": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
    }
