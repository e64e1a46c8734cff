"""Random checkpoints of Stable Diffusion 1.x at full size, made once and kept in a cache folder.

Speed and memory do not depend on the values, so none is downloaded.
"""

import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import Report
from benchmarks.trial import Trial


@dataclass(frozen=True)
class Checkpoint:
    """A file or folder in the cache, made by the function `maker` out of the one named `source`."""

    name: str
    maker: str
    source: str = ""


DIFFUSERS = Checkpoint("diffusers", "benchmarks.checkpoint:make_diffusers")
OPENVINO = Checkpoint("openvino", "benchmarks.checkpoint:export_openvino", "diffusers")
KERAS_UNET = Checkpoint("kcv_diffusion_model.h5", "benchmarks.checkpoint:make_keras_unet")
CHECKPOINTS = {checkpoint.name: checkpoint for checkpoint in (DIFFUSERS, OPENVINO, KERAS_UNET)}


def prepare(names: Iterable[str], cache: Path, pythons: dict[str, str]) -> None:
    """Make those of the checkpoints that are not in the cache yet, each in a process of its own.

    `pythons` has the interpreter for a checkpoint if it is not this one. Exits with a sentence where
    one fails.
    """
    for name in names:
        checkpoint = CHECKPOINTS[name]
        if (cache / name).exists():
            continue
        if checkpoint.source:
            prepare([checkpoint.source], cache, pythons)
        print(f"making {cache / name}", flush=True)
        _make(checkpoint, cache, pythons)


def _make(checkpoint: Checkpoint, cache: Path, pythons: dict[str, str]) -> None:
    # Keras tells the kind of a file by its ending.
    partial = cache / f"partial-{checkpoint.name}"
    _remove(partial)
    cache.mkdir(parents=True, exist_ok=True)
    arguments = {"out": str(partial), "source": str(cache / checkpoint.source)}
    python = pythons.get(checkpoint.name, sys.executable)
    trial = Trial(f"make/{checkpoint.name}", checkpoint.maker, arguments, python=python)
    log = cache / "logs" / f"make-{checkpoint.name}.log"
    record = trial.run(log)
    if "error" in record:
        raise SystemExit(f"{checkpoint.name} could not be made: {record['error']} (all of it: {log})")
    partial.rename(cache / checkpoint.name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def make_diffusers(report: Report, out: str, source: str) -> None:
    """The whole model as a folder in diffusers layout, float32."""
    from tests.checkpoint_files import make_diffusers_folder

    make_diffusers_folder(Path(out))


def make_keras_unet(report: Report, out: str, source: str) -> None:
    """The UNet as a Keras .h5 file, float32, laid out as the published one."""
    from tests.checkpoint_files import make_keras_h5

    make_keras_h5(Path(out))


def export_openvino(report: Report, out: str, source: str) -> None:
    """The diffusers folder as optimum-intel exports it, without compressing the weights."""
    from optimum.intel import OVStableDiffusionPipeline

    pipeline = OVStableDiffusionPipeline.from_pretrained(
        source, export=True, compile=False, load_in_8bit=False
    )
    pipeline.save_pretrained(out)
