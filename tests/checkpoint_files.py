"""Random checkpoints of Stable Diffusion, in the layouts that they are published in.

Names and shapes are written down here from diffusers, transformers and CompVis' code, apart from the
library's own; the parity tests compare them with diffusers. Values are such that activations stay sane, and
depend on the tensor's name and the seed alone, so that every layout holds the same ones.
"""

import gzip
import json
import math
import mmap
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
Shapes = dict[str, Shape]
Values = Callable[[str, Shape], Array]

COMPONENTS = ("unet", "text_encoder", "vae")
CONTEXT_WIDTH = {"1": 768, "2": 1024}
TEXT_LAYERS = {"1": 12, "2": 23}
TEXT_HEADS = {"1": 12, "2": 16}
UNET_WIDTHS = (320, 640, 1280, 1280)
VAE_WIDTHS = (128, 256, 512, 512)
DTYPES: dict[str, tuple[str, np.dtype[Any]]] = {
    "float64": ("F64", np.dtype(np.float64)),
    "float32": ("F32", np.dtype(np.float32)),
    "float16": ("F16", np.dtype(np.float16)),
    "bfloat16": ("BF16", np.dtype(ml_dtypes.bfloat16)),
}


def random_values(seed: int = 0) -> Values:
    """Values for a tensor of a name and shape: norms near 1, small biases, the rest of variance 1/fan in."""

    def values(name: str, shape: Shape) -> Array:
        rng = np.random.Generator(np.random.SFC64([seed, zlib.crc32(name.encode())]))
        # Uniform numbers take an eighth of the time that normal ones do.
        noise = (rng.random(shape, np.float32) - np.float32(0.5)) * np.float32(math.sqrt(12))
        if name.endswith("bias"):
            noise *= 0.02
        elif len(shape) == 1:
            noise = 1 + 0.1 * noise
        else:
            noise /= math.sqrt(math.prod(shape[1:]))
        return noise

    return values


def is_mapped(array: Array) -> bool:
    """Whether the array is a view of a mapped file."""
    base: object = array
    while (below := getattr(base, "base", None)) is not None:
        base = below
    return isinstance(base, mmap.mmap)


def shapes_of(component: str, version: str = "1", channels: int = 4) -> Shapes:
    """The state dict of the unet, text_encoder or vae, as it is on the Hub: names and torch's shapes."""
    if component == "vae":
        return _vae()
    if component == "text_encoder":
        return _clip(CONTEXT_WIDTH[version], TEXT_LAYERS[version], words=49408, tokens=77)
    return _unet(version, channels)


def _shrunk(shapes: Shapes, side: int | None) -> Shapes:
    return {name: tuple(min(length, side or length) for length in shape) for name, shape in shapes.items()}


def _layer(name: str, *shape: int, bias: bool = True) -> Shapes:
    return {f"{name}.weight": shape} | ({f"{name}.bias": shape[:1]} if bias else {})


def _residual(name: str, inward: int, outward: int, time: int = 0) -> Shapes:
    return (
        _layer(f"{name}.norm1", inward)
        | _layer(f"{name}.conv1", outward, inward, 3, 3)
        | (_layer(f"{name}.time_emb_proj", outward, time) if time else {})
        | _layer(f"{name}.norm2", outward)
        | _layer(f"{name}.conv2", outward, outward, 3, 3)
        | (_layer(f"{name}.conv_shortcut", outward, inward, 1, 1) if inward != outward else {})
    )


def _attention(name: str, width: int, context: int) -> Shapes:
    return (
        _layer(f"{name}.to_q", width, width, bias=False)
        | _layer(f"{name}.to_k", width, context, bias=False)
        | _layer(f"{name}.to_v", width, context, bias=False)
        | _layer(f"{name}.to_out.0", width, width)
    )


def _transformer(name: str, width: int, version: str) -> Shapes:
    window = (1, 1) if version == "1" else ()
    block = f"{name}.transformer_blocks.0"
    return (
        _layer(f"{name}.norm", width)
        | _layer(f"{name}.proj_in", width, width, *window)
        | _layer(f"{block}.norm1", width)
        | _attention(f"{block}.attn1", width, width)
        | _layer(f"{block}.norm2", width)
        | _attention(f"{block}.attn2", width, CONTEXT_WIDTH[version])
        | _layer(f"{block}.norm3", width)
        | _layer(f"{block}.ff.net.0.proj", 8 * width, width)
        | _layer(f"{block}.ff.net.2", width, 4 * width)
        | _layer(f"{name}.proj_out", width, width, *window)
    )


def _unet(version: str, channels: int) -> Shapes:
    first, last = UNET_WIDTHS[0], UNET_WIDTHS[-1]
    shapes = _layer("conv_in", first, channels, 3, 3)
    shapes |= _layer("time_embedding.linear_1", last, first) | _layer("time_embedding.linear_2", last, last)
    skips, width = [first], first
    for level, outward in enumerate(UNET_WIDTHS):
        for index in range(2):
            shapes |= _residual(f"down_blocks.{level}.resnets.{index}", width, outward, last)
            width = outward
            if level < 3:
                shapes |= _transformer(f"down_blocks.{level}.attentions.{index}", width, version)
            skips.append(width)
        if level < 3:
            shapes |= _layer(f"down_blocks.{level}.downsamplers.0.conv", width, width, 3, 3)
            skips.append(width)
    shapes |= _residual("mid_block.resnets.0", last, last, last) | _residual(
        "mid_block.resnets.1", last, last, last
    )
    shapes |= _transformer("mid_block.attentions.0", last, version)
    for level, outward in enumerate(reversed(UNET_WIDTHS)):
        for index in range(3):
            shapes |= _residual(f"up_blocks.{level}.resnets.{index}", width + skips.pop(), outward, last)
            width = outward
            if level:
                shapes |= _transformer(f"up_blocks.{level}.attentions.{index}", width, version)
        if level < 3:
            shapes |= _layer(f"up_blocks.{level}.upsamplers.0.conv", width, width, 3, 3)
    return shapes | _layer("conv_norm_out", first) | _layer("conv_out", 4, first, 3, 3)


def _vae() -> Shapes:
    last = VAE_WIDTHS[-1]
    shapes = _layer("quant_conv", 8, 8, 1, 1) | _layer("post_quant_conv", 4, 4, 1, 1)
    shapes |= _layer("encoder.conv_in", VAE_WIDTHS[0], 3, 3, 3) | _layer("decoder.conv_in", last, 4, 3, 3)
    for side, widths, count in (("down", VAE_WIDTHS, 2), ("up", VAE_WIDTHS[::-1], 3)):
        coder = "encoder" if side == "down" else "decoder"
        width = widths[0]
        for level, outward in enumerate(widths):
            for index in range(count):
                shapes |= _residual(f"{coder}.{side}_blocks.{level}.resnets.{index}", width, outward)
                width = outward
            if level < 3:
                shapes |= _layer(f"{coder}.{side}_blocks.{level}.{side}samplers.0.conv", width, width, 3, 3)
        middle = f"{coder}.mid_block"
        shapes |= _residual(f"{middle}.resnets.0", last, last) | _residual(f"{middle}.resnets.1", last, last)
        shapes |= _layer(f"{middle}.attentions.0.group_norm", last)
        for name in ("to_q", "to_k", "to_v", "to_out.0"):
            shapes |= _layer(f"{middle}.attentions.0.{name}", last, last)
        shapes |= _layer(f"{coder}.conv_norm_out", width)
        shapes |= _layer(f"{coder}.conv_out", 8 if side == "down" else 3, width, 3, 3)
    return shapes


def _clip(width: int, layers: int, words: int, tokens: int) -> Shapes:
    shapes: Shapes = {
        "text_model.embeddings.token_embedding.weight": (words, width),
        "text_model.embeddings.position_embedding.weight": (tokens, width),
    }
    for index in range(layers):
        name = f"text_model.encoder.layers.{index}"
        shapes |= _layer(f"{name}.layer_norm1", width) | _layer(f"{name}.layer_norm2", width)
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _layer(f"{name}.self_attn.{projection}", width, width)
        shapes |= _layer(f"{name}.mlp.fc1", 4 * width, width) | _layer(f"{name}.mlp.fc2", width, 4 * width)
    return shapes | _layer("text_model.final_layer_norm", width)


SMALL_WORDS, SMALL_WIDTH, SMALL_TOKENS, SMALL_LAYERS = 10, 8, 4, 2


def small_text_encoder() -> Any:
    """keras-cv's text encoder in miniature, with random values unless it is built in `unfilled()`."""
    import keras

    from triptych.models import kerascv

    tokens, positions = (keras.Input((SMALL_TOKENS,), dtype="int32") for _ in range(2))
    x = kerascv.CLIPEmbedding(SMALL_WORDS, SMALL_WIDTH, SMALL_TOKENS)([tokens, positions])
    for _ in range(SMALL_LAYERS):
        x = kerascv.CLIPEncoderLayer(SMALL_WIDTH, 2, activation=keras.ops.gelu)(x)
    return keras.Model([tokens, positions], keras.layers.LayerNormalization(epsilon=1e-5)(x), name="small")


def small_text_shapes() -> Shapes:
    """The state dict of `small_text_encoder`."""
    return _clip(SMALL_WIDTH, SMALL_LAYERS, SMALL_WORDS, SMALL_TOKENS)


def write_safetensors(
    path: Path, shapes: Mapping[str, Shape], values: Values | None, dtype: str = "float32", **metadata: str
) -> Path:
    """Write a safetensors file, with one tensor in memory at a time; without `values` it has a hole there."""
    code, numpy_dtype = DTYPES[dtype]
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + math.prod(shape) * numpy_dtype.itemsize
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-(len(encoded) + 8) % 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        if values is None:
            file.truncate(file.tell() + end)
            return path
        for name, shape in shapes.items():
            file.write(np.ascontiguousarray(values(name, shape).astype(numpy_dtype)).tobytes())
    return path


def make_diffusers_folder(
    path: Path,
    version: str = "1",
    inpainting: bool = False,
    prediction: str = "epsilon",
    dtype: str = "float32",
    parts: Iterable[str] = COMPONENTS,
    seed: int = 0,
    side: int | None = None,
) -> Path:
    """A whole model as diffusers' `save_pretrained` leaves it, with these of COMPONENTS.

    With `side` no tensor has a longer one.
    """
    for part in parts:
        name = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        shapes = _shrunk(shapes_of(part, version, 9 if inpainting else 4), side)
        write_safetensors(path / part / f"{name}.safetensors", shapes, random_values(seed), dtype)
        write_config(path, part, version, inpainting)
    _write_json(path / "scheduler" / "scheduler_config.json", _scheduler_config(prediction))
    _write_json(path / "model_index.json", _model_index(inpainting))
    _write_tokenizer(path / "tokenizer", version)
    return path


def write_config(path: Path, part: str, version: str = "1", inpainting: bool = False) -> None:
    """One of COMPONENTS' config.json in the folder of a model."""
    configs = {
        "unet": _unet_config(version, 9 if inpainting else 4),
        "text_encoder": _text_config(version),
        "vae": _vae_config(),
    }
    _write_json(path / part / "config.json", configs[part])


def make_compvis_file(
    path: Path,
    version: str = "1",
    inpainting: bool = False,
    dtype: str = "float32",
    parts: Iterable[str] = COMPONENTS,
    seed: int | None = 0,
    side: int | None = None,
    **metadata: str,
) -> Path:
    """A whole model in one file under CompVis' names, with the values of `make_diffusers_folder`.

    With `side` no tensor there has a longer one; with no seed there are no values.
    """
    parts = list(parts)
    names = compvis_names(version, inpainting, parts)
    known = {
        name: shape
        for part in parts
        for name, shape in _shrunk(shapes_of(part, version, 9 if inpainting else 4), side).items()
    }
    shapes = {
        stored: _compvis_shape(stored, [known[name] for name in sources]) for stored, sources in names.items()
    }
    values = random_values(seed or 0)

    def joined(stored: str, shape: Shape) -> Array:
        return np.concatenate([values(name, known[name]) for name in names[stored]]).reshape(shape)

    return write_safetensors(path, shapes, None if seed is None else joined, dtype, **metadata)


def compvis_names(version: str, inpainting: bool, parts: Iterable[str]) -> dict[str, list[str]]:
    """The names of CompVis' checkpoint, and which of diffusers' tensors are in each, one after the other."""
    names: dict[str, list[str]] = {}
    for part in parts:
        for name in shapes_of(part, version, 9 if inpainting else 4):
            names.setdefault(_COMPVIS[part](name, version), []).append(name)
    return names


def _compvis_shape(stored: str, sources: list[Shape]) -> Shape:
    first = sources[0]
    if ".mid.attn_1." in stored and len(first) == 2:
        return (*first, 1, 1)
    return (sum(shape[0] for shape in sources), *first[1:])


def _compvis_unet(name: str, version: str) -> str:
    blocks: dict[str, str] = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    for position, (level, index) in enumerate(product(range(4), range(3)), start=1):
        if index < 2:
            blocks[f"down_blocks.{level}.resnets.{index}"] = f"input_blocks.{position}.0"
            blocks[f"down_blocks.{level}.attentions.{index}"] = f"input_blocks.{position}.1"
        else:
            blocks[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{position}.0.op"
    for position, (level, index) in enumerate(product(range(4), range(3))):
        blocks[f"up_blocks.{level}.resnets.{index}"] = f"output_blocks.{position}.0"
        blocks[f"up_blocks.{level}.attentions.{index}"] = f"output_blocks.{position}.1"
        upsampler = 1 if level == 0 else 2
        blocks[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{position}.{upsampler}.conv"
    layers = {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }
    block = _prefix(name, blocks)
    rest = name.removeprefix(f"{block}.")
    layer = _prefix(rest, layers) if ".resnets." in block else ""
    rest = f"{layers[layer]}.{rest.removeprefix(f'{layer}.')}" if layer else rest
    return f"model.diffusion_model.{blocks[block]}.{rest}"


def _compvis_vae(name: str, version: str) -> str:
    words = {
        "mid_block.attentions.0.group_norm": "mid.attn_1.norm",
        "mid_block.attentions.0.to_q": "mid.attn_1.q",
        "mid_block.attentions.0.to_k": "mid.attn_1.k",
        "mid_block.attentions.0.to_v": "mid.attn_1.v",
        "mid_block.attentions.0.to_out.0": "mid.attn_1.proj_out",
        "mid_block.resnets.0": "mid.block_1",
        "mid_block.resnets.1": "mid.block_2",
        "downsamplers.0": "downsample",
        "upsamplers.0": "upsample",
        "conv_norm_out": "norm_out",
        "conv_shortcut": "nin_shortcut",
        ".resnets.": ".block.",
        "down_blocks.": "down.",
        "up_blocks.": "up.",
    }
    for new, old in words.items():
        name = name.replace(new, old)
    if name.startswith("decoder.up."):
        level = name.split(".")[2]
        name = name.replace(f"decoder.up.{level}.", f"decoder.up.{3 - int(level)}.")
    return f"first_stage_model.{name}"


def _compvis_text(name: str, version: str) -> str:
    if version == "1":
        return f"cond_stage_model.transformer.{name}"
    words = {
        "text_model.embeddings.token_embedding": "token_embedding",
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
        "text_model.final_layer_norm": "ln_final",
        "text_model.encoder.layers.": "transformer.resblocks.",
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
        "self_attn.out_proj": "attn.out_proj",
        **{f"self_attn.{letter}_proj.": "attn.in_proj_" for letter in "qkv"},
    }
    for new, old in words.items():
        name = name.replace(new, old)
    return f"cond_stage_model.model.{name}"


_COMPVIS: dict[str, Callable[[str, str], str]] = {
    "unet": _compvis_unet,
    "vae": _compvis_vae,
    "text_encoder": _compvis_text,
}


def _prefix(name: str, prefixes: Iterable[str]) -> str:
    return next(prefix for prefix in prefixes if name.startswith(f"{prefix}."))


def make_keras_h5(path: Path, part: str = "diffusion", version: str = "1", seed: int = 0) -> Path:
    """A .h5 file of a part of the variants as keras-cv's published ones are: lists of weights by layer."""
    import h5py

    values = random_values(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        layers = _keras_model(part, version).layers
        file.attrs.update(backend="tensorflow", keras_version="2.12.0")
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name)
            weights = layer.trainable_weights + layer.non_trainable_weights
            names = [f"{weight.path}:0" for weight in weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, weights, strict=True):
                group[name] = _keras_values(weight, values)
    return path


def _keras_model(part: str, version: str) -> Any:
    from triptych.models import full
    from triptych.skeleton import unfilled

    builders = {
        "text_encoder": full.text_encoder if version == "1" else full.text_encoder_v2,
        "diffusion": full.diffusion_model if version == "1" else full.diffusion_model_v2,
        "decoder": full.decoder,
        "image_encoder": full.image_encoder,
    }
    with unfilled():
        return builders[part]()


def _keras_values(weight: Any, values: Values) -> Array:
    shape = tuple(weight.shape)
    if weight.name == "embeddings":
        return values(weight.path, shape)
    name = f"{weight.path}.{'bias' if weight.name in ('bias', 'beta') else 'weight'}"
    torch_order = values(name, (*shape[:-3:-1], *shape[:-2]))
    return torch_order.transpose([*range(2, len(shape)), *range(min(len(shape), 2))[::-1]])


def write_pickle(path: Path, tensors: Mapping[str, Array], extra: bytes = b"") -> Path:
    """What torch.save writes for a training program's {"state_dict": tensors}, float32 or float16.

    The memory under a tensor is written as it lies. `extra` is a value, pickled, that stands beside them.
    """
    names = {np.dtype(np.float32): "FloatStorage", np.dtype(np.float16): "HalfStorage"}

    def tensor(key: str, array: Array) -> bytes:
        kind = _global("torch", names[array.dtype])
        storage = _tuple(_text("storage"), kind, _text(key), _text("cpu"), _int(_numbers(array).size))
        strides = [stride // array.itemsize for stride in array.strides]
        hooks = _global("collections", "OrderedDict") + b")R"
        arguments = (storage + b"Q", _int(0), _ints(array.shape), _ints(strides), b"\x89", hooks)
        return _global("torch._utils", "_rebuild_tensor_v2") + _tuple(*arguments) + b"R"

    items = b"".join(_text(name) + tensor(str(key), tensors[name]) for key, name in enumerate(tensors))
    beside = _text("callbacks") + extra if extra else b""
    pickled = b"\x80\x02}(" + _text("state_dict") + b"}(" + items + b"u" + beside + b"u."
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickled)
        for key, array in enumerate(tensors.values()):
            file.writestr(f"archive/data/{key}", _numbers(array).tobytes())
    return path


def _numbers(array: Array) -> Array:
    """The numbers in memory that an array is a view of; axes along which it repeats have one."""
    once = array[tuple(slice(None if stride else 1) for stride in array.strides)]
    return once.ravel("K")


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    return b"X" + len(text.encode()).to_bytes(4, "little") + text.encode()


def _int(number: int) -> bytes:
    return b"J" + number.to_bytes(4, "little")


def _ints(numbers: Iterable[int]) -> bytes:
    return _tuple(*map(_int, numbers))


def _tuple(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def make_lora_file(
    path: Path,
    layers: Mapping[str, tuple[Shape, Shape]],
    names: Callable[[str, str], str],
    alpha: float | None = None,
    seed: int = 0,
) -> Path:
    """A LoRA of the given layers: for each the shapes of its down and up matrices.

    `names` gives the key in the file for a layer and one of "down", "up" and "alpha".
    """
    values = random_values(seed)
    shapes = {
        names(layer, role): shape
        for layer, pair in layers.items()
        for role, shape in zip(("down", "up"), pair, strict=True)
    }
    alphas = {names(layer, "alpha"): () for layer in layers} if alpha is not None else {}

    def value(name: str, shape: Shape) -> Array:
        return np.array(alpha, np.float32) if name in alphas else values(name, shape)

    return write_safetensors(path, shapes | alphas, value)


def kohya_names(layer: str, role: str) -> str:
    """As kohya's trainer calls them; `layer` begins with unet. or text_encoder."""
    component, rest = layer.split(".", 1)
    name = f"lora_{'te' if component == 'text_encoder' else component}_{rest.replace('.', '_')}"
    return f"{name}.alpha" if role == "alpha" else f"{name}.lora_{role}.weight"


def peft_names(layer: str, role: str) -> str:
    """As peft and diffusers call them."""
    return f"{layer}.alpha" if role == "alpha" else f"{layer}.lora_{'A' if role == 'down' else 'B'}.weight"


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))


def _unet_config(version: str, channels: int) -> dict[str, Any]:
    return {
        "_class_name": "UNet2DConditionModel",
        "sample_size": 64,
        "in_channels": channels,
        "out_channels": 4,
        "layers_per_block": 2,
        "block_out_channels": UNET_WIDTHS,
        "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
        "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
        "cross_attention_dim": CONTEXT_WIDTH[version],
        "attention_head_dim": 8 if version == "1" else [5, 10, 20, 20],
        "use_linear_projection": version == "2",
    }


def _text_config(version: str) -> dict[str, Any]:
    width = CONTEXT_WIDTH[version]
    return {
        "architectures": ["CLIPTextModel"],
        "model_type": "clip_text_model",
        "vocab_size": 49408,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": TEXT_LAYERS[version],
        "num_attention_heads": TEXT_HEADS[version],
        "hidden_act": "quick_gelu" if version == "1" else "gelu",
        "max_position_embeddings": 77,
        "bos_token_id": 49406,
        "eos_token_id": 49407,
    }


def _vae_config() -> dict[str, Any]:
    return {
        "_class_name": "AutoencoderKL",
        "sample_size": 512,
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 4,
        "layers_per_block": 2,
        "block_out_channels": VAE_WIDTHS,
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "scaling_factor": 0.18215,
    }


def _scheduler_config(prediction: str) -> dict[str, Any]:
    return {
        "_class_name": "DDIMScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "set_alpha_to_one": False,
        "steps_offset": 1,
        "prediction_type": prediction,
    }


def _model_index(inpainting: bool) -> dict[str, Any]:
    return {
        "_class_name": "StableDiffusionInpaintPipeline" if inpainting else "StableDiffusionPipeline",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def _write_tokenizer(folder: Path, version: str) -> None:
    """CLIP's vocabulary as transformers reads it."""
    from triptych.tokenizer import VOCABULARY

    merges = gzip.decompress(VOCABULARY.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    letters = _letters()
    tokens = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *("".join(merge.split()) for merge in merges),
    ]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    _write_json(folder / "vocab.json", {token: index for index, token in enumerate(tokens)})
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": 77,
            "bos_token": "<|startoftext|>",
            "eos_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>" if version == "1" else "!",
        },
    )


def _letters() -> list[str]:
    """CLIP's printable letters for the 256 bytes: those that are printable, then the others, moved up."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]
