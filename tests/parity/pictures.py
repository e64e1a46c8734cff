"""The same pictures by keras-cv's own pipeline and by ours.

`python -m tests.parity.pictures WHO FOLDER VERSION COUNT`: FOLDER has the weights of each part in a .h5
file, and the first COUNT pictures are written beside them. A process of its own for each, as Keras has one
backend a process.
"""

import gc
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from triptych.decode import LatentDecoder
from triptych.denoise import Denoiser
from triptych.encode import PromptEncoder
from triptych.fields import Fields
from triptych.locations import LocalPath
from triptych.models import kerascv
from triptych.requests import DenoiseSettings
from triptych.samplers import Noise
from triptych.schedule import make_schedule
from triptych.tokenizer import VOCABULARY
from triptych.variants import Size, full_variant
from triptych.weights import Checkpoint, unreported

Picture = npt.NDArray[np.uint8]

PARTS = ("text_encoder", "diffusion", "decoder")
SIZE = (128, 128)
APPLE = {"inputs": "a red apple on a blue background", "seed": 3}
CAT = {"inputs": "a cat at night", "negative_prompt": "snow, blurry", "seed": 4}
REQUESTS: dict[str, list[tuple[Size, dict[str, Any]]]] = {
    "1": [(SIZE, APPLE), (SIZE, CAT), ((256, 128), APPLE)],
    "2": [(SIZE, CAT)],
}
"""What is made with each version, and how large."""

STEPS, GUIDANCE = 3, 7.5


def keras_cv(folder: Path, version: str, count: int) -> list[Picture]:
    """By keras-cv's StableDiffusion or StableDiffusionV2, built anew for each size."""
    return [
        _by_keras_cv(_pipeline(folder, version, size), request, size)
        for size, request in REQUESTS[version][:count]
    ]


@lru_cache(1)
def _pipeline(folder: Path, version: str, size: Size) -> Any:
    from keras_cv.src.models.stable_diffusion import stable_diffusion, text_encoder

    text_encoder.CLIPAttention = kerascv.CausalAttention.__base__  # as keras-cv has it
    pipeline = stable_diffusion.StableDiffusion if version == "1" else stable_diffusion.StableDiffusionV2
    model = pipeline(*size, jit_compile=False)
    for part, built in _keras_cv_parts(version, *size).items():
        setattr(model, f"_{part}", _loaded(built, folder / f"{part.removesuffix('_model')}.h5"))
    model._tokenizer = kerascv.SimpleTokenizer(str(VOCABULARY))
    return model


def _keras_cv_parts(version: str, height: int, width: int) -> dict[str, Callable[[], Any]]:
    first = version == "1"
    text = kerascv.TextEncoder if first else kerascv.TextEncoderV2
    diffusion = kerascv.DiffusionModel if first else kerascv.DiffusionModelV2
    return {
        "text_encoder": lambda: text(77, download_weights=False),
        "diffusion_model": lambda: diffusion(height, width, 77, download_weights=False),
        "decoder": lambda: kerascv.Decoder(height, width, download_weights=False),
    }


def _loaded(build: Callable[[], Any], path: Path) -> Any:
    model = build()
    model.load_weights(path)
    return model


def _by_keras_cv(model: Any, request: dict[str, Any], size: Size) -> Picture:
    noise, _ = Noise.seeded(request["seed"]).draw((size[0] // 8, size[1] // 8, 4))
    pictures: npt.NDArray[np.uint8] = model.generate_image(
        model.encode_text(request["inputs"]),
        negative_prompt=request.get("negative_prompt"),
        num_steps=STEPS,
        unconditional_guidance_scale=GUIDANCE,
        diffusion_noise=noise,
    )
    picture: Picture = pictures[0]
    return picture


def ours(folder: Path, version: str, count: int) -> list[Picture]:
    """By our three stages, over one set of weights for all sizes, on the backend of KERAS_BACKEND."""
    weights = {part: Checkpoint(LocalPath(folder / f"{part}.h5")) for part in (*PARTS, "image_encoder")}
    variant = replace(full_variant(version, version, "random", dict(weights), 4), image_size=SIZE[0])
    encoder = PromptEncoder(variant, unreported)
    denoiser = Denoiser(variant, unreported)
    latents = [
        denoiser.latents(
            *encoder.contexts(Fields(request), 1),
            DenoiseSettings([request["seed"]], make_schedule(STEPS), GUIDANCE, size),
        )
        for size, request in REQUESTS[version][:count]
    ]
    del denoiser
    gc.collect()
    decoder = LatentDecoder(variant, unreported)
    return [decoder.images(latent)[0] for latent in latents]


if __name__ == "__main__":
    who, directory, model_version = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    made = (keras_cv if who == "keras-cv" else ours)(directory, model_version, int(sys.argv[4]))
    np.savez(directory / f"{who}.npz", *made)
