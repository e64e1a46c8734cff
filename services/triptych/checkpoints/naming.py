"""What diffusers and transformers call the variables of keras-cv's Stable Diffusion models.

A model's layers of one class come in the order in which the checkpoint numbers them, so a model is
walked class by class, and every class of layers names its own parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import keras
from keras import layers

from ..models import kerascv
from .source import Array, CheckpointError, Shape

DENSE_AXES = (1, 0)
"""From torch's (out, in) to Keras' (in, out)."""
CONVOLUTION_AXES = (2, 3, 1, 0)
"""From torch's (out, in, height, width) to Keras' (height, width, in, out)."""

Children = dict[str, Any]


@dataclass(frozen=True)
class NamedVariable:
    """A variable of a model, its name in a checkpoint, and the axes that bring torch's order to Keras'."""

    name: str
    variable: keras.Variable
    axes: tuple[int, ...]

    @property
    def shape(self) -> Shape:
        """The shape that torch gives it."""
        shape = tuple(self.variable.shape)
        return tuple(shape[self.axes.index(axis)] for axis in range(len(shape)))

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.variable.shape)

    def fits(self, shape: Shape) -> bool:
        """Whether a tensor of this shape can be it: a 1×1 convolution is also stored as a dense layer."""
        return _without_window(shape) == _without_window(self.shape)

    def from_torch(self, array: Array) -> Array:
        """A fitting array in `shape`; a view."""
        return array.reshape(self.shape)

    def from_keras(self, array: Array) -> Array:
        """An array in Keras' order in torch's; a view."""
        return array.transpose([self.axes.index(axis) for axis in range(array.ndim)])


def named_variables(model: keras.Model, part: str) -> list[NamedVariable]:
    """Every variable of keras-cv's text_encoder, diffusion, decoder or image_encoder.

    Raises CheckpointError if the model has other layers than these.
    """
    named: list[NamedVariable] = []
    for kind, prefixes in PREFIXES[part].items():
        found = [layer for layer in model.layers if type(layer) is kind]
        names = _numbered(prefixes, range(len(found))) if isinstance(prefixes, str) else prefixes
        if len(found) != len(names):
            raise CheckpointError(f"{model.name}, with {len(found)} layers {kind.__name__}, is no {part}")
        for layer, name in zip(found, names, strict=True):
            named += name_layer(layer, name)
    return named


def name_layer(layer: keras.layers.Layer, prefix: str) -> Iterator[NamedVariable]:
    """The variables of one layer, with `prefix` before their names."""
    for name, child in CHILDREN[type(layer)](layer).items():
        path = f"{prefix}.{name}" if name else prefix
        if isinstance(child, keras.Variable):
            yield NamedVariable(path, child, _axes(layer, child))
        elif isinstance(child, layers.Layer):
            yield from name_layer(child, path)


def _axes(layer: keras.layers.Layer, variable: keras.Variable) -> tuple[int, ...]:
    if isinstance(layer, layers.Embedding):
        return (0, 1)
    return {1: (0,), 2: DENSE_AXES, 4: CONVOLUTION_AXES}[len(variable.shape)]


def _without_window(shape: Shape) -> Shape:
    return shape[:2] if shape[2:] == (1, 1) else shape


def _kernel(layer: Any) -> Children:
    return {"weight": layer.kernel} | ({"bias": layer.bias} if layer.use_bias else {})


def _norm(layer: Any) -> Children:
    return {"weight": layer.gamma, "bias": layer.beta}


def _embedding(layer: Any) -> Children:
    return {"weight": layer.embeddings}


def _padded_convolution(layer: Any) -> Children:
    return {"": layer.conv2d}


def _upsample(layer: Any) -> Children:
    return {"": layer.conv}


def _unet_residual(layer: Any) -> Children:
    norm1, _, conv1 = layer.entry_flow
    _, time = layer.embedding_flow
    norm2, _, conv2 = layer.exit_flow
    return {
        "norm1": norm1,
        "conv1": conv1,
        "time_emb_proj": time,
        "norm2": norm2,
        "conv2": conv2,
        "conv_shortcut": layer.residual_projection,
    }


def _vae_residual(layer: Any) -> Children:
    return {
        "norm1": layer.norm1,
        "conv1": layer.conv1,
        "norm2": layer.norm2,
        "conv2": layer.conv2,
        "conv_shortcut": layer.residual_projection,
    }


def _vae_attention(layer: Any) -> Children:
    return {
        "group_norm": layer.norm,
        "to_q": layer.q,
        "to_k": layer.k,
        "to_v": layer.v,
        "to_out.0": layer.proj_out,
    }


def _spatial_transformer(layer: Any) -> Children:
    block = layer.transformer_block
    children = {
        "norm1": block.norm1,
        **_cross_attention("attn1", block.attn1),
        "norm2": block.norm2,
        **_cross_attention("attn2", block.attn2),
        "norm3": block.norm3,
        "ff.net.0.proj": block.geglu.dense,
        "ff.net.2": block.dense,
    }
    return {
        "norm": layer.norm,
        "proj_in": layer.proj1,
        **{f"transformer_blocks.0.{name}": child for name, child in children.items()},
        "proj_out": layer.proj2,
    }


def _cross_attention(name: str, layer: Any) -> Children:
    return {
        f"{name}.to_q": layer.to_q,
        f"{name}.to_k": layer.to_k,
        f"{name}.to_v": layer.to_v,
        f"{name}.to_out.0": layer.out_proj,
    }


def _clip_embedding(layer: Any) -> Children:
    return {"token_embedding": layer.token_embedding, "position_embedding": layer.position_embedding}


def _clip_layer(layer: Any) -> Children:
    return {
        "layer_norm1": layer.layer_norm1,
        "self_attn.q_proj": layer.clip_attn.q_proj,
        "self_attn.k_proj": layer.clip_attn.k_proj,
        "self_attn.v_proj": layer.clip_attn.v_proj,
        "self_attn.out_proj": layer.clip_attn.out_proj,
        "layer_norm2": layer.layer_norm2,
        "mlp.fc1": layer.fc1,
        "mlp.fc2": layer.fc2,
    }


CHILDREN: dict[type, Callable[[Any], Children]] = {
    layers.Dense: _kernel,
    layers.Conv2D: _kernel,
    layers.GroupNormalization: _norm,
    layers.LayerNormalization: _norm,
    layers.Embedding: _embedding,
    kerascv.PaddedConv2D: _padded_convolution,
    kerascv.Upsample: _upsample,
    kerascv.ResBlock: _unet_residual,
    kerascv.ResnetBlock: _vae_residual,
    kerascv.AttentionBlock: _vae_attention,
    kerascv.SpatialTransformer: _spatial_transformer,
    kerascv.CLIPEmbedding: _clip_embedding,
    kerascv.CLIPEncoderLayer: _clip_layer,
}


def _numbered(pattern: str, *ranges: range) -> list[str]:
    return [pattern.format(*numbers) for numbers in product(*ranges)]


UNET = {
    layers.Dense: ["time_embedding.linear_1", "time_embedding.linear_2"],
    kerascv.PaddedConv2D: [
        "conv_in",
        *_numbered("down_blocks.{}.downsamplers.0.conv", range(3)),
        "conv_out",
    ],
    kerascv.ResBlock: [
        *_numbered("down_blocks.{}.resnets.{}", range(4), range(2)),
        *_numbered("mid_block.resnets.{}", range(2)),
        *_numbered("up_blocks.{}.resnets.{}", range(4), range(3)),
    ],
    kerascv.SpatialTransformer: [
        *_numbered("down_blocks.{}.attentions.{}", range(3), range(2)),
        "mid_block.attentions.0",
        *_numbered("up_blocks.{}.attentions.{}", range(1, 4), range(3)),
    ],
    kerascv.Upsample: _numbered("up_blocks.{}.upsamplers.0.conv", range(3)),
    layers.GroupNormalization: ["conv_norm_out"],
}
DECODER = {
    kerascv.PaddedConv2D: [
        "post_quant_conv",
        "decoder.conv_in",
        *_numbered("decoder.up_blocks.{}.upsamplers.0.conv", range(3)),
        "decoder.conv_out",
    ],
    kerascv.ResnetBlock: [
        *_numbered("decoder.mid_block.resnets.{}", range(2)),
        *_numbered("decoder.up_blocks.{}.resnets.{}", range(4), range(3)),
    ],
    kerascv.AttentionBlock: ["decoder.mid_block.attentions.0"],
    layers.GroupNormalization: ["decoder.conv_norm_out"],
}
IMAGE_ENCODER = {
    kerascv.PaddedConv2D: [
        "encoder.conv_in",
        *_numbered("encoder.down_blocks.{}.downsamplers.0.conv", range(3)),
        "encoder.conv_out",
        "quant_conv",
    ],
    kerascv.ResnetBlock: [
        *_numbered("encoder.down_blocks.{}.resnets.{}", range(4), range(2)),
        *_numbered("encoder.mid_block.resnets.{}", range(2)),
    ],
    kerascv.AttentionBlock: ["encoder.mid_block.attentions.0"],
    layers.GroupNormalization: ["encoder.conv_norm_out"],
}
TEXT_ENCODER: dict[type, list[str] | str] = {
    kerascv.CLIPEmbedding: ["text_model.embeddings"],
    kerascv.CLIPEncoderLayer: "text_model.encoder.layers.{}",
    layers.LayerNormalization: ["text_model.final_layer_norm"],
}
PREFIXES: dict[str, Mapping[type, list[str] | str]] = {
    "text_encoder": TEXT_ENCODER,
    "diffusion": UNET,
    "decoder": DECODER,
    "image_encoder": IMAGE_ENCODER,
}
"""The names of each part's layers, class by class; a pattern where there may be any number of them."""
