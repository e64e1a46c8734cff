"""Channels before height and width in OpenVINO's graphs, as its convolutions and norms take them.

Keras' models have channels last, so that each convolution stands between two transposes, and a group
normalization is six operations on a tensor of five axes that keep these transposes from going. Here norms are
OpenVINO's own, and transposes move towards the outputs until two of them meet and both go.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import openvino.opset13 as ops
from keras.src.backend.openvino.core import OpenVINOKerasTensor, get_ov_output

TO_FIRST, TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def use_own_norms() -> None:
    """Have Keras' norms over the last axis traced as OpenVINO's, from now on."""
    keras.layers.GroupNormalization.call = _group_normalization
    keras.layers.LayerNormalization.call = _layer_normalization


def put_channels_first(graph: Any) -> None:
    """Move the transposes of the graph, an ov.Model, to where they meet their opposites, which end both."""
    for node in graph.get_ordered_ops():
        rule = RULES.get(node.get_type_name())
        made = rule(node) if rule else None
        if made is not None:
            node.output(0).replace(made.output(0))


def _group_normalization(layer: Any, inputs: Any) -> Any:
    first = ops.transpose(get_ov_output(inputs), TO_FIRST)
    gamma, beta = get_ov_output(layer.gamma), get_ov_output(layer.beta)
    normal = ops.group_normalization(first, gamma, beta, layer.groups, layer.epsilon)
    return OpenVINOKerasTensor(ops.transpose(normal, TO_LAST).output(0))


def _layer_normalization(layer: Any, inputs: Any) -> Any:
    axes = ops.constant(np.array([-1]))
    normal = ops.mvn(get_ov_output(inputs), axes, True, layer.epsilon, "inside_sqrt")
    scaled = ops.multiply(normal, get_ov_output(layer.gamma))
    return OpenVINOKerasTensor(ops.add(scaled, get_ov_output(layer.beta)).output(0))


def _first(output: Any) -> Any:
    """The tensor with channels first that this one is a transpose of, or None."""
    node = output.get_node()
    return node.input_value(0) if node.get_type_name() == "Transpose" and _order(node) == TO_LAST else None


def _last(node: Any) -> Any:
    return ops.transpose(node, TO_LAST)


def _end_both(node: Any) -> Any:
    before, order = node.input_value(0).get_node(), _order(node)
    if before.get_type_name() == "Transpose" and [_order(before)[axis] for axis in order] == sorted(order):
        node.output(0).replace(before.input_value(0))


def _of_one(operation: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def moved(node: Any) -> Any:
        source = _first(node.input_value(0))
        return None if source is None else _last(operation(source, node))

    return moved


def _of_two(operation: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def moved(node: Any) -> Any:
        inputs = node.input_values()
        if all(_first(one) is None for one in inputs) or not all(_is_movable(one) for one in inputs):
            return None
        return _last(operation(*map(_moved, inputs)))

    return moved


def _is_movable(output: Any) -> bool:
    """Whether the tensor is a transpose itself, or costs nothing to transpose: it has height and width 1."""
    shape = output.get_partial_shape()
    return _first(output) is not None or all(dimension == 1 for dimension in list(shape)[-3:-1])


def _moved(output: Any) -> Any:
    source = _first(output)
    if source is not None:
        return source
    missing = 4 - output.get_partial_shape().rank.get_length()
    return ops.transpose(ops.unsqueeze(output, list(range(missing))) if missing else output, TO_FIRST)


def _pad(node: Any) -> Any:
    source = _first(node.input_value(0))
    if source is None:
        return None
    begin, end = (_values(node.input_value(index))[TO_FIRST] for index in (1, 2))
    mode = node.get_attributes()["pad_mode"]
    return _last(ops.pad(source, begin, end, mode, *node.input_values()[3:]))


def _concat(node: Any) -> Any:
    sources = [_first(one) for one in node.input_values()]
    if any(source is None for source in sources):
        return None
    return _last(ops.concat(sources, TO_LAST[node.get_attributes()["axis"] % 4]))


def _gather(node: Any) -> Any:
    source, indices = _first(node.input_value(0)), node.input_value(1)
    if source is None or indices.get_partial_shape().rank.get_length() != 1:
        return None
    return _last(ops.gather(source, indices, TO_LAST[int(_values(node.input_value(2))) % 4]))


def _order(transpose: Any) -> list[int]:
    return [int(axis) for axis in _values(transpose.input_value(1))]


def _values(output: Any) -> Any:
    return output.get_node().data


RULES: dict[str, Callable[[Any], Any]] = {
    "Transpose": _end_both,
    "Convert": _of_one(lambda source, node: ops.convert(source, node.get_output_element_type(0))),
    "Swish": _of_one(lambda source, _: ops.swish(source)),
    "Add": _of_two(ops.add),
    "Multiply": _of_two(ops.multiply),
    "Pad": _pad,
    "Concat": _concat,
    "Gather": _gather,
}
