"""Makes the built-in model. Every stage can be stopped at any moment and goes on where it was."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

# Set before Keras is imported, which is only when a stage starts.
os.environ.setdefault("KERAS_BACKEND", "jax")

Stage = Callable[[float | None], None]


def _data(minutes: float | None) -> None:
    from training import data

    data.prepare()


def _vae(minutes: float | None) -> None:
    _refuse_other_backends("vae")
    from training import vae
    from training.scale import SCALE

    vae.train(_told("vae", minutes or SCALE.vae_minutes))


def _latents(minutes: float | None) -> None:
    from training import latents

    latents.prepare()


def _diffusion(minutes: float | None) -> None:
    _refuse_other_backends("diffusion")
    from training import diffusion
    from training.scale import SCALE

    diffusion.train(_told("diffusion", minutes or SCALE.diffusion_minutes))


def _export(minutes: float | None) -> None:
    from training import export

    export.write()


def _probe(minutes: float | None) -> None:
    from training import probe
    from training.scale import SCALE

    probe.train(_told("probe", minutes or SCALE.probe_minutes))


def _evaluate(minutes: float | None) -> None:
    from training import evaluate

    evaluate.measure()


def _samples(minutes: float | None) -> None:
    from training import sheets

    sheets.write()


def _preview(minutes: float | None) -> None:
    from training import preview

    preview.fit()


def _refuse_other_backends(stage: str) -> None:
    if os.environ["KERAS_BACKEND"] != "jax":
        sys.exit(f"The step of {stage} is JAX's: leave KERAS_BACKEND out, or set it to jax")


def _told(stage: str, minutes: float) -> float:
    """The minutes, once they and what they are spent on are in the terminal."""
    import jax

    device = jax.devices()[0]
    print(f"{stage}: {minutes:g} minutes in all on {device.platform} ({device.device_kind})", flush=True)
    return minutes


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
