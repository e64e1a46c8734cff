"""A stand-in for a diffusion stage on a machine of its own: all of it is real but the UNet, which waits.

`benchmarks.scaling` serves this file as a handler. So several replicas on one machine's cores are as fast as
on several machines, as far as engine, wire and gateway let them be. The latents are no pictures.
"""

import importlib.util
import time
from pathlib import Path
from typing import Any

import numpy as np

import triptych
from triptych.compiled import Array
from triptych.engine import Unet
from triptych.engine.unet import Form
from triptych.stage import DenoisingHandler
from triptych.variants import LATENT_CHANNELS
from triptych.weights import Report, unreported

CALL_SECONDS, ROW_SECONDS = 0.020, 0.0025
"""Of a call of the UNet: chosen, not measured on any device. Larger batches are worth it, as on a GPU."""


def seconds(rows: int) -> float:
    """How long a call with so many rows takes."""
    return CALL_SECONDS + ROW_SECONDS * rows


class EndpointHandler(DenoisingHandler):
    """The diffusion stage's own handler, with its UNet put away."""

    def __init__(self, path: str = "", report: Report = unreported) -> None:
        self._real = _real_handler()(path, report)
        self.denoiser = self._real.denoiser
        _put_away(self.denoiser.engine.unet)

    def start(self, data: dict[str, Any]) -> Any:
        return self._real.start(data)

    def info(self) -> dict[str, Any]:
        described: dict[str, Any] = self._real.info()
        return described


def _real_handler() -> Any:
    file = Path(triptych.__file__).parent.parent / "diffusion" / "handler.py"
    spec = importlib.util.spec_from_file_location("diffusion_handler", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EndpointHandler


def _put_away(unet: Unet) -> None:
    def run(form: Form, inputs: dict[str, Array]) -> Array:
        rows = len(inputs["latent"])
        time.sleep(seconds(rows))
        return np.zeros((rows, *form.shape[:2], LATENT_CHANNELS), np.float32)

    replaced = {
        "run": run,
        "compile": lambda form, rows: None,
        "ready": lambda form: True,
        "warm_sizes": lambda form: sorted(unet.sizes),
    }
    for name, function in replaced.items():
        setattr(unet, name, function)
