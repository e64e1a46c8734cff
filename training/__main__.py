"""Makes the built-in model. Every stage can be stopped at any moment and goes on where it was."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

# Set before Keras is imported, which is only when a stage starts.
os.environ.setdefault("KERAS_BACKEND", "jax")

Stage = Callable[[float | None], None]


def _data(minutes: float | None) -> None:
    from training import data

    data.prepare()


def _vae(minutes: float | None) -> None:
    from training import vae
    from training.scale import SCALE

    vae.train(minutes or SCALE.vae_minutes)


def _latents(minutes: float | None) -> None:
    from training import latents

    latents.prepare()


def _diffusion(minutes: float | None) -> None:
    from training import diffusion
    from training.scale import SCALE

    diffusion.train(minutes or SCALE.diffusion_minutes)


def _export(minutes: float | None) -> None:
    from training import export

    export.write()


def _probe(minutes: float | None) -> None:
    from training import probe
    from training.scale import SCALE

    probe.train(minutes or SCALE.probe_minutes)


def _evaluate(minutes: float | None) -> None:
    from training import evaluate

    evaluate.measure()


def _samples(minutes: float | None) -> None:
    from training import sheets

    sheets.write()


def _preview(minutes: float | None) -> None:
    from training import preview

    preview.fit()


STAGES: dict[str, Stage] = {
    "data": _data,
    "vae": _vae,
    "latents": _latents,
    "diffusion": _diffusion,
    "export": _export,
    "probe": _probe,
    "evaluate": _evaluate,
    "samples": _samples,
    "preview": _preview,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stage", choices=["all", *STAGES], help="all runs the stages in this order")
    parser.add_argument(
        "--minutes", type=float, help="time to train, earlier runs included (for all: of the diffusion)"
    )
    arguments = parser.parse_args()
    for stage in STAGES if arguments.stage == "all" else [arguments.stage]:
        STAGES[stage](arguments.minutes if stage in (arguments.stage, "diffusion") else None)


if __name__ == "__main__":
    main()
