"""OpenVINO's graphs have channels first within, and give what they gave."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

ov = pytest.importorskip("openvino")
if keras.backend.backend() != "openvino":
    pytest.skip("these graphs are OpenVINO's", allow_module_level=True)

import openvino.opset13 as ops  # noqa: E402
from keras.src.backend.openvino.core import OpenVINOKerasTensor  # noqa: E402

from triptych.programs import backend, channels  # noqa: E402

Array = npt.NDArray[np.float32]
LAST = (2, 6, 4, 8)
FIRST = (2, 8, 6, 4)


def graph_of(function: Callable[..., Any], *arrays: Array) -> Any:
    parameters = [ops.parameter(list(array.shape), np.float32) for array in arrays]
    return ov.Model([ops.result(function(*parameters))], parameters)


def result(graph: Any, *arrays: Array) -> Array:
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    return np.array(ov.Core().compile_model(graph, "CPU", options)(list(arrays))[0])


def operations(graph: Any) -> Counter[str]:
    return Counter(node.get_type_name() for node in graph.get_ops())


def values(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def last(node: Any) -> Any:
    return ops.transpose(node, [0, 2, 3, 1])


def first(node: Any) -> Any:
    return ops.transpose(node, [0, 3, 1, 2])


MOVED: dict[str, Callable[[Any], Any]] = {
    "nothing between": lambda x: x,
    "swish": ops.swish,
    "convert": lambda x: ops.convert(ops.convert(x, "f16"), "f32"),
    "a number": lambda x: ops.multiply(x, np.float32(3)),
    "a value for each channel": lambda x: ops.add(x, values(8)),
    "a row of channels before it": lambda x: ops.add(values(1, 1, 8), x),
    "values for each picture's channels": lambda x: ops.multiply(x, values(2, 1, 1, 8)),
    "itself": lambda x: ops.add(x, ops.swish(x)),
    "a pad": lambda x: ops.pad(x, [0, 1, 2, 0], [0, 0, 3, 1], "constant", np.float32(7)),
    "a pad without a value": lambda x: ops.pad(x, [0, 1, 2, 0], [0, 0, 3, 1], "reflect"),
    "more channels": lambda x: ops.concat([x, ops.swish(x)], -1),
    "more rows": lambda x: ops.concat([x, x], 1),
    "repeated columns": lambda x: ops.gather(x, [0, 0, 1, 1, 3], np.int64(2)),
    "other pictures": lambda x: ops.gather(x, [1, 0], np.int64(0)),
    "some channels": lambda x: ops.gather(x, [5, 2], np.int64(-1)),
}


@pytest.mark.parametrize("between", MOVED.values(), ids=MOVED)
def test_two_transposes_end_each_other_through(between: Callable[[Any], Any]) -> None:
    x = values(*FIRST)
    graph = graph_of(lambda parameter: first(between(last(parameter))), x)
    expected = result(graph, x)
    channels.put_channels_first(graph)
    np.testing.assert_array_equal(result(graph, x), expected)
    assert _transposed_pictures(graph) == []


LEFT: dict[str, Callable[[Any, Any], Any]] = {
    "a tensor that has its channels last": ops.add,
    "another order": lambda x, _: ops.transpose(x, [0, 3, 2, 1]),
    "another shape": lambda x, _: ops.reshape(x, [2, 24, 8], special_zero=False),
    "what is only partly transposed": lambda x, y: ops.concat([x, y], 3),
    "indices in two dimensions": lambda x, _: ops.gather(x, [[0, 1], [1, 0]], np.int64(1)),
}


@pytest.mark.parametrize("after", LEFT.values(), ids=LEFT)
def test_a_transpose_stays_before(after: Callable[[Any, Any], Any]) -> None:
    arrays = values(*FIRST), values(*LAST, seed=1)
    graph = graph_of(lambda x, y: ops.swish(after(last(x), y)), *arrays)
    expected, before = result(graph, *arrays), operations(graph)
    channels.put_channels_first(graph)
    np.testing.assert_array_equal(result(graph, *arrays), expected)
    assert operations(graph) == before


def traced(layer: Callable[[Any], Any], x: Array) -> Any:
    return graph_of(lambda parameter: layer(OpenVINOKerasTensor(parameter.output(0))).output, x)


def with_random_weights(layer: keras.Layer, shape: tuple[int, ...]) -> keras.Layer:
    layer.build(shape)
    for seed, variable in enumerate(layer.variables, start=1):
        variable.assign(values(*variable.shape, seed=seed))
    return layer


def check(layer: keras.Layer, x: Array, normal: Array, operation: str) -> None:
    """The layer, with weights of its own, gives `normal` scaled and shifted, by this operation."""
    backend()
    with_random_weights(layer, x.shape)
    graph = traced(layer.call, x)
    expected = normal * values(8, seed=1) + values(8, seed=2)
    np.testing.assert_allclose(result(graph, x), expected, atol=1e-5)
    assert operations(graph)[operation] == 1


def test_group_normalization_is_as_its_paper_has_it() -> None:
    x = values(*LAST) * 3 + 1
    groups = x.reshape(2, 24, 4, 2)
    mean, variance = groups.mean((1, 3), keepdims=True), groups.var((1, 3), keepdims=True)
    normal = ((groups - mean) / np.sqrt(variance + 0.01)).reshape(LAST)
    check(keras.layers.GroupNormalization(4, epsilon=0.01), x, normal, "GroupNormalization")


def test_layer_normalization_is_as_its_paper_has_it() -> None:
    x = values(2, 24, 8) * 3 + 1
    normal = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 0.01)
    check(keras.layers.LayerNormalization(epsilon=0.01), x, normal, "MVN")


def test_a_block_of_a_unet_has_no_transpose_but_at_its_ends() -> None:
    backend()
    layers = [
        keras.layers.Conv2D(8, 3, padding="same"),
        keras.layers.GroupNormalization(4),
        keras.layers.Activation("swish"),
        keras.layers.ZeroPadding2D(1),
        keras.layers.Conv2D(8, 3),
        keras.layers.UpSampling2D(2),
    ]
    for layer in layers:
        with_random_weights(layer, LAST)

    def block(x: Any) -> Any:
        for layer in layers:
            x = layer.call(x)
        return x

    x = values(*LAST)
    graph = traced(block, x)
    expected = result(graph, x)
    channels.put_channels_first(graph)
    np.testing.assert_allclose(result(graph, x), expected, atol=1e-5)
    assert sorted(_transposed_pictures(graph)) == [FIRST, (2, 12, 8, 8)]


def _transposed_pictures(graph: Any) -> list[tuple[int, ...]]:
    """The shapes of what is transposed, but kernels, values of channels, and what is asked for its shape."""
    return [
        tuple(node.get_output_shape(0))
        for node in graph.get_ops()
        if node.get_type_name() == "Transpose"
        and max(node.get_output_shape(0)[2:]) > 3
        and {target.get_node().get_type_name() for target in node.output(0).get_target_inputs()}
        != {"ShapeOf"}
    ]
