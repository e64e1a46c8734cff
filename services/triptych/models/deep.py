"""A UNet in two parts, of which the deep one need not be run at every step (DeepCache, arXiv:2312.00858).

What the deep layers find changes little from step to step. So a step may take what an earlier one found
there, and run only the layers before the first and after the last skip connection.
"""

from typing import Any

import keras


def keeping(model: keras.Model) -> keras.Model:
    """The model with what its deep layers found: one vector a row, the prediction and then the features."""
    both = [keras.layers.Flatten()(tensor) for tensor in (model.output, _deep(model))]
    return keras.Model(model.inputs, keras.layers.Concatenate()(both))


def shallow(model: keras.Model) -> keras.Model:
    """The model without its deep layers: takes, as a fourth input, what they found before."""
    return keras.Model([*model.inputs, _deep(model)], model.output)


def deep_width(model: keras.Model) -> int:
    """How many channels the deep features have; their height and width are the latent's."""
    width: int = _deep(model).shape[-1]
    return width


def _deep(model: keras.Model) -> Any:
    """What comes up from below to the last skip connection, which joins it with the first layer's output.

    Looked for from the output backwards: a layer may be in other graphs too.
    """
    tensor = model.output
    while True:
        layer, node, _ = tensor._keras_history
        tensor = layer._inbound_nodes[node].input_tensors[0]
        if isinstance(layer, keras.layers.Concatenate):
            return tensor
