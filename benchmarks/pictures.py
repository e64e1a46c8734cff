"""Whole pictures: each `open_…` function gives a function from a number of steps to one picture.

One prompt, one seed, guidance 7.5, 512 × 512. What they import, they import when called.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import participants
from benchmarks.child import Report
from benchmarks.memory import PeakMemory
from benchmarks.participants import IMAGE, KERAS_CV_PROPERTIES, Array
from tests.running import BACKENDS

Draw = Callable[[int], Array]

PROMPT = "a red apple on a blue background"
GUIDANCE = 7.5
SEED = 0
STAGES = ("text_encoder", "diffusion", "decoder")


@contextmanager
def open_keras_cv(report: Report, xla: bool) -> Iterator[Draw]:
    """keras_cv.models.StableDiffusion.text_to_image, with its own initial values."""
    participants.hide("jax", "torch")
    import keras_cv

    report.mark("imported")
    parts = [part for part in KERAS_CV_PROPERTIES if part != "image_encoder"]
    model = participants.stable_diffusion(keras_cv, parts, xla)
    yield lambda steps: model.text_to_image(
        PROMPT, num_steps=steps, unconditional_guidance_scale=GUIDANCE, seed=SEED
    )[0]


@contextmanager
def open_diffusers(report: Report, folder: str, precision: str) -> Iterator[Draw]:
    """diffusers' StableDiffusionPipeline with DDIM, without a safety checker."""
    import torch
    from diffusers import StableDiffusionPipeline

    report.mark("imported")
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None, torch_dtype=getattr(torch, precision)
    )
    yield _drawn_by(pipeline)


@contextmanager
def open_optimum(report: Report, folder: str, precision: str) -> Iterator[Draw]:
    """optimum-intel's OVStableDiffusionPipeline with DDIM."""
    pipeline = participants.optimum_pipeline(report, folder, precision)
    pipeline.compile()
    yield _drawn_by(pipeline)


def _drawn_by(pipeline: Any) -> Draw:
    import torch
    from diffusers import DDIMScheduler

    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return lambda steps: np.asarray(
        pipeline(
            PROMPT,
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(SEED),
            output_type="np",
        ).images[0]
    )


@contextmanager
def open_triptych(report: Report, folder: str, precision: str, backends: Mapping[str, str]) -> Iterator[Draw]:
    """This project's stages, each on the backend given, and its gateway as processes, asked over HTTP.

    Every picture has a seed of its own, as the stages keep what they have made. Memory is that of the four
    processes together.
    """
    from tests.running import running_gateway, running_stage

    model = {"MODEL": folder, "DTYPE": precision}
    with tempfile.TemporaryDirectory() as logs, ExitStack() as stack:
        urls, pids = {"INPAINTING_URL": ""}, []
        for name in STAGES:
            environment = {**model, "KERAS_BACKEND": backends[name]}
            server = stack.enter_context(running_stage(name, Path(logs) / name, **environment))
            urls[f"{name.upper()}_URL"] = server.url
            pids.append(server.pid)
            report.mark(name)
        gateway = stack.enter_context(running_gateway(Path(logs) / "gateway", **urls))
        seeds = count(SEED)
        with PeakMemory(*pids, gateway.pid) as peak:
            yield lambda steps: _asked(gateway.url, steps, next(seeds))
        report.result(
            backends=dict(backends), memory={"resident": peak.resident, "anonymous": peak.anonymous}
        )


def default_backends() -> dict[str, str]:
    """Each stage's backend: what a variable such as DECODER_BACKEND says, else compose/backends."""
    names = {stage: stage.upper() for stage in STAGES}
    return {stage: os.environ.get(f"{name}_BACKEND") or BACKENDS[name] for stage, name in names.items()}


def _asked(url: str, steps: int, seed: int) -> Array:
    from io import BytesIO

    import requests
    from PIL import Image

    body = {
        "prompt": PROMPT,
        "steps": steps,
        "guidance_scale": GUIDANCE,
        "seed": seed,
        "output_format": "png",
    }
    response = requests.post(f"{url}/v1/txt2img", json=body, headers={"Accept": "image/png"}, timeout=3600)
    response.raise_for_status()
    picture = np.asarray(Image.open(BytesIO(response.content)))
    if picture.shape != (IMAGE, IMAGE, 3):
        raise ValueError(f"the picture has shape {picture.shape}: the stages serve another model")
    return picture
