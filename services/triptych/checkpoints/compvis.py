"""From the names of CompVis' and Stability's code, and of older diffusers, to diffusers' own.

Names that are not known stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import product

import numpy as np

from .source import Array

Renaming = Mapping[str, str]

UNET_BLOCKS = (
    {
        "time_embed.0": "time_embedding.linear_1",
        "time_embed.2": "time_embedding.linear_2",
        "input_blocks.0.0": "conv_in",
        "middle_block.0": "mid_block.resnets.0",
        "middle_block.1": "mid_block.attentions.0",
        "middle_block.2": "mid_block.resnets.1",
        "out.0": "conv_norm_out",
        "out.2": "conv_out",
    }
    | {f"input_blocks.{3 * i + 3}.0.op": f"down_blocks.{i}.downsamplers.0.conv" for i in range(3)}
    | {
        f"input_blocks.{3 * i + j + 1}.0": f"down_blocks.{i}.resnets.{j}"
        for i, j in product(range(4), range(2))
    }
    | {
        f"input_blocks.{3 * i + j + 1}.1": f"down_blocks.{i}.attentions.{j}"
        for i, j in product(range(3), range(2))
    }
    | {"output_blocks.2.1.conv": "up_blocks.0.upsamplers.0.conv"}
    | {f"output_blocks.{3 * i + 2}.2.conv": f"up_blocks.{i}.upsamplers.0.conv" for i in (1, 2)}
    | {f"output_blocks.{3 * i + j}.0": f"up_blocks.{i}.resnets.{j}" for i, j in product(range(4), range(3))}
    | {
        f"output_blocks.{3 * i + j}.1": f"up_blocks.{i}.attentions.{j}"
        for i, j in product(range(1, 4), range(3))
    }
)
UNET_LAYERS = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
VAE_BLOCKS = (
    {
        "encoder.norm_out": "encoder.conv_norm_out",
        "decoder.norm_out": "decoder.conv_norm_out",
    }
    | {
        f"{side}.mid.block_{i + 1}": f"{side}.mid_block.resnets.{i}"
        for side in ("encoder", "decoder")
        for i in (0, 1)
    }
    | {f"{side}.mid.attn_1": f"{side}.mid_block.attentions.0" for side in ("encoder", "decoder")}
    | {
        f"encoder.down.{i}.block.{j}": f"encoder.down_blocks.{i}.resnets.{j}"
        for i, j in product(range(4), range(2))
    }
    | {f"encoder.down.{i}.downsample.conv": f"encoder.down_blocks.{i}.downsamplers.0.conv" for i in range(3)}
    # CompVis numbers the decoder's blocks from the image up.
    | {
        f"decoder.up.{3 - i}.block.{j}": f"decoder.up_blocks.{i}.resnets.{j}"
        for i, j in product(range(4), range(3))
    }
    | {f"decoder.up.{3 - i}.upsample.conv": f"decoder.up_blocks.{i}.upsamplers.0.conv" for i in range(3)}
)
VAE_LAYERS = {"nin_shortcut": "conv_shortcut"}
VAE_ATTENTION = {
    "norm": "group_norm",
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "proj_out": "to_out.0",
    "query": "to_q",
    "key": "to_k",
    "value": "to_v",
    "proj_attn": "to_out.0",
}
OPENCLIP = {
    "token_embedding": "text_model.embeddings.token_embedding",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final": "text_model.final_layer_norm",
}
OPENCLIP_LAYERS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
PROJECTIONS = ("q_proj", "k_proj", "v_proj")


def diffusers_unet(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors below `model.diffusion_model.` under diffusers' names."""
    return _renamed(tensors, lambda name: _beginning(name, UNET_BLOCKS, UNET_LAYERS))


def diffusers_vae(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors below `first_stage_model.`, or of a VAE of older diffusers, under diffusers' names."""
    return _renamed(tensors, _vae_name)


def transformers_text(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors below `cond_stage_model.` under transformers' names, OpenCLIP's joint projections apart."""
    renamed: dict[str, Array] = {}
    for name, array in tensors.items():
        name = name.removeprefix("transformer.") if "resblocks" not in name else name
        joint = re.fullmatch(r"model\.transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)", name)
        if joint and array.ndim and len(array) % 3 == 0:
            layer, kind = joint.groups()
            prefix = f"text_model.encoder.layers.{layer}.self_attn"
            thirds = zip(PROJECTIONS, np.split(array, len(PROJECTIONS)), strict=True)
            renamed |= {f"{prefix}.{projection}.{kind}": third for projection, third in thirds}
        else:
            renamed[_text_name(name)] = array
    return renamed


def _renamed(tensors: Mapping[str, Array], rename: Callable[[str], str]) -> dict[str, Array]:
    return {rename(name): array for name, array in tensors.items()}


def _beginning(name: str, blocks: Renaming, layers: Renaming) -> str:
    """The name with its beginning replaced by `blocks`, and what then follows by `layers`."""
    for old, new in blocks.items():
        if name.startswith(f"{old}."):
            return f"{new}.{_beginning(name.removeprefix(f'{old}.'), layers, {})}"
    return name


def _vae_name(name: str) -> str:
    name = _beginning(name, VAE_BLOCKS, VAE_LAYERS)
    if attention := re.fullmatch(r"(.*\.mid_block\.attentions\.0)\.(.*)", name):
        return f"{attention[1]}.{_beginning(attention[2], VAE_ATTENTION, {})}"
    return name


def _text_name(name: str) -> str:
    if layer := re.fullmatch(r"model\.transformer\.resblocks\.(\d+)\.(.*)", name):
        return f"text_model.encoder.layers.{layer[1]}.{_beginning(layer[2], OPENCLIP_LAYERS, {})}"
    if name.startswith(("embeddings.", "encoder.", "final_layer_norm.")):
        return f"text_model.{name}"
    name = name.removeprefix("model.")
    return OPENCLIP.get(name) or _beginning(name, OPENCLIP, {})
