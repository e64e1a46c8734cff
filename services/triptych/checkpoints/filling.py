"""Every variable of a model from a checkpoint, or an error that says which tensor does not belong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..skeleton import place
from .naming import NamedVariable, named_variables
from .source import CheckpointError, TensorSource

if TYPE_CHECKING:
    import keras

    from ..weights import Report


def fill(model: keras.Model, part: str, source: TensorSource, report: Report) -> None:
    """Give every variable of keras-cv's text_encoder, diffusion, decoder or image_encoder its value.

    Reports the state "loading" with the share of the numbers that are in. Raises CheckpointError, before
    anything is placed, if a tensor is missing, left over, or of another shape.
    """
    source.attach(model, part)
    named = named_variables(model, part)
    _check(named, source, part)
    total = sum(entry.size for entry in named)
    done = 0
    for entry in named:
        place(entry.variable, entry.from_torch(source.read(entry.name)), entry.axes)
        done += entry.size
        report("loading", done / total)


def _check(named: list[NamedVariable], source: TensorSource, part: str) -> None:
    stored = source.names()
    for entry in named:
        if entry.name not in stored:
            raise CheckpointError(
                f"{source.title}: {entry.name} is missing; the {part} needs it with shape {entry.shape}"
            )
        if not entry.fits(shape := source.shape(entry.name)):
            raise CheckpointError(
                f"{source.title}: {entry.name} has shape {shape}; the {part} needs {entry.shape}"
            )
    if left_over := stored - {entry.name for entry in named}:
        name = min(left_over)
        raise CheckpointError(
            f"{source.title}: {name} of shape {source.shape(name)} is not in the {part} "
            f"({len(left_over)} tensors are left over)"
        )
