"""Makes the built-in model. Every stage can be stopped at any moment and goes on where it was."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

# Set before Keras is imported, which is only when a stage starts.
os.environ.setdefault("KERAS_BACKEND", "jax")

DEFAULT_MINUTES = {"vae": 4.0, "diffusion": 9.0, "probe": 1.0}


def _data(minutes: float) -> None:
    from training import data, vocabulary

    data.prepare()
    vocabulary.prepare()


def _vae(minutes: float) -> None:
    from training import vae

    vae.train(minutes)


def _latents(minutes: float) -> None:
    from training import latents

    latents.prepare()


def _diffusion(minutes: float) -> None:
    from training import diffusion

    diffusion.train(minutes)


def _export(minutes: float) -> None:
    from training import export

    export.write()


def _probe(minutes: float) -> None:
    from training import probe

    probe.train(minutes)


def _evaluate(minutes: float) -> None:
    from training import evaluate

    evaluate.measure()


def _samples(minutes: float) -> None:
    from training import sheets

    sheets.write()


def _preview(minutes: float) -> None:
    from training import preview

    preview.fit()


STAGES: dict[str, Callable[[float], None]] = {
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
        given = arguments.minutes if stage in (arguments.stage, "diffusion") else None
        STAGES[stage](given or DEFAULT_MINUTES.get(stage, 0.0))


if __name__ == "__main__":
    main()
