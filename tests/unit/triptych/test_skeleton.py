"""Models without values, and giving them theirs."""

from typing import Any

import keras
import numpy as np
import pytest

from triptych.models import full
from triptych.programs import backend
from triptych.skeleton import place, unfilled

RNG = np.random.default_rng(0)


def small_model() -> keras.Model:
    image = keras.Input((8, 8, 4))
    x = keras.layers.Conv2D(6, 3, name="convolution")(image)
    x = keras.layers.GroupNormalization(groups=2)(x)
    return keras.Model(image, keras.layers.Dense(5)(x))


def test_a_skeleton_has_shapes_and_no_values() -> None:
    with unfilled():
        model = small_model()
    assert [tuple(variable.shape) for variable in model.weights] == [
        (3, 3, 4, 6),
        (6,),
        (6,),
        (6,),
        (6, 5),
        (5,),
    ]
    assert all(variable._value is None for variable in model.weights)


class Inner(keras.layers.Layer):  # type: ignore[misc]
    """A layer without `build`, that counts how often it is traced."""

    traced = 0

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, inputs: Any) -> Any:
        Inner.traced += 1
        return self.dense(inputs)


class Outer(keras.layers.Layer):  # type: ignore[misc]
    """Two such layers, one in the other."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)


def test_a_layer_within_layers_is_traced_once() -> None:
    image = keras.Input((4,))
    with unfilled():
        model = keras.Model(image, Outer()(image))
    assert Inner.traced == 1
    assert [tuple(variable.shape) for variable in model.weights] == [(4, 3), (3,)]


def test_a_full_unet_is_built_without_drawing_its_860_million_values() -> None:
    with unfilled():
        model = full.diffusion_model()
    assert sum(np.prod(variable.shape) for variable in model.weights) == 859_520_964
    assert all(variable._value is None for variable in model.weights)


def test_a_filled_skeleton_computes_what_the_same_model_with_these_weights_does() -> None:
    usual = small_model()
    with unfilled():
        skeleton = small_model()
    for variable, other in zip(skeleton.weights, usual.weights, strict=True):
        place(variable, np.asarray(other.value))
    image = RNG.standard_normal((1, 8, 8, 4), np.float32)
    np.testing.assert_allclose(skeleton.predict_on_batch(image), usual.predict_on_batch(image), rtol=1e-5)


def test_place_permutes_the_axes_of_a_kernel_that_was_stored_for_torch() -> None:
    with unfilled():
        model = small_model()
    stored = RNG.standard_normal((6, 4, 3, 3), np.float32).astype(np.float16)
    place(model.weights[0], stored, (2, 3, 1, 0))
    np.testing.assert_array_equal(
        np.asarray(model.weights[0].value), stored.transpose(2, 3, 1, 0).astype(np.float32)
    )


def test_place_names_the_variable_and_both_shapes_when_they_differ() -> None:
    with unfilled():
        model = small_model()
    with pytest.raises(ValueError, match=r"convolution/kernel has shape \(3, 3, 4, 6\); got \(3, 3, 6, 4\)"):
        place(model.weights[0], np.zeros((4, 6, 3, 3), np.float32), (2, 3, 1, 0))


def test_half_a_precision_is_half_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the backend keeps weights as it computes."""
    monkeypatch.setattr(backend(), "POLICIES", {})
    with unfilled("float16"):
        model = small_model()
    place(model.weights[1], np.ones(6, np.float16))
    assert {variable.dtype for variable in model.weights} == {"float16"}
    assert np.asarray(model.weights[1].value).dtype == np.float16


def test_models_built_afterwards_are_as_ever_even_when_building_failed() -> None:
    with pytest.raises(RuntimeError, match="half way"), unfilled("float16"):
        small_model()
        raise RuntimeError("half way")
    model = small_model()
    assert model.weights[0].dtype == "float32"
    assert np.asarray(model.weights[0].value).std() > 0
