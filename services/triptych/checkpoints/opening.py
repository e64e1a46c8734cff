"""A file or folder of weights, whatever its layout, as the source of one part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .compvis import diffusers_unet, diffusers_vae, transformers_text
from .configuration import read_object
from .keras_files import KerasFile
from .kinds import refuse_other_models, what_it_holds
from .mapped import StoredTensors, map_safetensors
from .pickles import map_pickle
from .source import Array, CheckpointError, Tensors, TensorSource

H5 = (".h5", ".hdf5")
PICKLES = (".ckpt", ".bin", ".pt", ".pth")
STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
ENDINGS = (
    ".safetensors",
    ".safetensors.index.json",
    ".fp16.safetensors",
    ".safetensors.index.fp16.json",
    ".bin",
    ".bin.index.json",
    ".fp16.bin",
    ".bin.index.fp16.json",
)
LAST_TEXT_LAYER = "text_model.encoder.layers.23."
"""Stable Diffusion 2.x takes what the last layer but one of OpenCLIP's 24 gives, so neither keras-cv nor
diffusers has the last."""
POSITIONS = "text_model.embeddings.position_ids"
"""The numbers 0 to 76, which older files keep among the weights."""


@dataclass(frozen=True)
class Component:
    """Where the tensors of a part are in the layouts, and which of their names are its own."""

    folder: str
    prefix: str
    rename: Callable[[Mapping[str, Array]], dict[str, Array]]
    own: tuple[str, ...]
    marker: str


COMPONENTS = {
    "text_encoder": Component(
        "text_encoder",
        "cond_stage_model.",
        transformers_text,
        ("text_model.",),
        "text_model.embeddings.token_embedding.weight",
    ),
    "diffusion": Component(
        "unet", "model.diffusion_model.", diffusers_unet, ("",), "time_embedding.linear_1.weight"
    ),
    "decoder": Component(
        "vae", "first_stage_model.", diffusers_vae, ("decoder.", "post_quant_conv."), "decoder.conv_in.weight"
    ),
    "image_encoder": Component(
        "vae", "first_stage_model.", diffusers_vae, ("encoder.", "quant_conv."), "encoder.conv_in.weight"
    ),
}


def open_checkpoint(path: Path, part: str, allow_pickle: bool = False) -> TensorSource:
    """The tensors of the text_encoder, diffusion, decoder or image_encoder in a file or folder.

    `path` is a folder in diffusers layout (the whole model's, or the part's alone); a .safetensors or, with
    `allow_pickle`, .ckpt file of a whole model in CompVis layout or of the part alone under either's names;
    or a .h5 file of keras-cv's model. Raises CheckpointError, a sentence that says what is wrong with it.
    """
    if path.is_file() and path.suffix in H5:
        return KerasFile(path)
    component = COMPONENTS[part]
    files = component_files(path, component.folder, allow_pickle) if path.is_dir() else [path]
    stored: dict[str, Array] = {}
    for file in files:
        stored |= map_tensors(file, allow_pickle).arrays
    title = files[0].parent.relative_to(path.parent).as_posix() if path.is_dir() else path.name
    return Tensors(title, _own(stored, component, title, part))


def map_tensors(path: Path, allow_pickle: bool) -> StoredTensors:
    """All tensors of a safetensors file, or of a pickle where these are allowed."""
    if path.suffix in PICKLES:
        return map_pickle(path, allow_pickle)
    return map_safetensors(path)


def component_files(folder: Path, name: str, allow_pickle: bool) -> list[Path]:
    """The files with the weights of a component (unet, vae, text_encoder) of a folder in diffusers layout.

    Those of full precision come first, safetensors before pickles.
    """
    root = folder / name if (folder / name).is_dir() else folder
    for ending in ENDINGS:
        for stem in STEMS:
            file = root / f"{stem}{ending}"
            if file.is_file():
                return _shards(file) if file.suffix == ".json" else [file]
    raise CheckpointError(
        f"{root} has no file of weights: diffusers keeps them in {STEMS[0]}.safetensors or model.safetensors"
    )


def _shards(index: Path) -> list[Path]:
    files = read_object(index).get("weight_map")
    if not isinstance(files, dict) or not files:
        raise CheckpointError(f"{index} does not say which files the weights are in")
    names = sorted(set(map(str, files.values())))
    if elsewhere := [name for name in names if Path(name).name != name]:
        raise CheckpointError(f"{index} names {elsewhere[0]}, which is not beside it: it is refused")
    return [index.parent / name for name in names]


def _own(stored: Mapping[str, Array], component: Component, title: str, part: str) -> dict[str, Array]:
    refuse_other_models(stored, title)
    below = {
        name.removeprefix(component.prefix): array
        for name, array in stored.items()
        if name.startswith(component.prefix)
    }
    renamed = component.rename(below or stored)
    if component.marker not in renamed:
        raise CheckpointError(f"{title} has no {part}: it holds {what_it_holds(stored)}")
    return {
        name: array
        for name, array in renamed.items()
        if name.startswith(component.own) and not name.startswith(LAST_TEXT_LAYER) and name != POSITIONS
    }
