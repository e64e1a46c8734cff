"""What a step of any of the trainings changes, and a checkpoint keeps."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from training import optimizer

Values = list[jax.Array]


class State(NamedTuple):
    """The trainable values, their moving average, the optimizer's state, and a random key's data."""

    values: Values
    average: Values
    optimizer: optimizer.State
    key: jax.Array

    def keys(self, count: int) -> list[jax.Array]:
        """So many new random keys; the last is for `after`."""
        return list(jax.random.split(jax.random.wrap_key_data(self.key), count))

    def after(
        self,
        gradients: Values,
        muon: tuple[bool, ...],
        rate: jax.Array | float,
        key: jax.Array,
        *,
        decay: float = 0.0,
        averaging: float = 0.999,
    ) -> State:
        """The state after a step of the optimizer; the average is over few steps at first."""
        values, moved = optimizer.step(self.values, gradients, self.optimizer, muon, rate, decay)
        share = jnp.minimum(averaging, (1 + moved.steps) / (10 + moved.steps))
        average = [share * a + (1 - share) * v for a, v in zip(self.average, values, strict=True)]
        return State(values, average, moved, jax.random.key_data(key))


def start(seed: int, *models: keras.Model) -> State:
    """The state of the models' values before the first step."""
    # The average's arrays must be others: a step overwrites both.
    values, average = ([_array(value) for value in values_of(*models)] for _ in range(2))
    key = jax.random.key_data(jax.random.key(seed))
    return State(values, average, optimizer.start(values, muon_of(*models)), key)


def values_of(*models: keras.Model) -> Values:
    """The trainable values of the models, one after the other."""
    return [variable.value for model in models for variable in model.trainable_variables]


def muon_of(*models: keras.Model) -> tuple[bool, ...]:
    """Which of them are Muon's."""
    variables = [variable for model in models for variable in model.trainable_variables]
    return tuple(optimizer.uses_muon(variable.path, variable.shape) for variable in variables)


def fill(values: Values, *models: keras.Model) -> None:
    """Put such values into the models."""
    variables = [variable for model in models for variable in model.trainable_variables]
    for variable, value in zip(variables, values, strict=True):
        variable.assign(np.asarray(value))


def _array(value: Any) -> jax.Array:
    # Through numpy, as a finished model is also looked at with Keras on TensorFlow; and of a copy, as its
    # variables warn when numpy asks them for an array.
    return jnp.array(keras.ops.convert_to_numpy(keras.ops.copy(value)))
