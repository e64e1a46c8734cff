"""Everything that reads files of weights."""

from .architecture import Architecture, inspect_checkpoint, vae_part
from .filling import fill
from .lora import Lora, parse_loras, with_loras
from .opening import open_checkpoint
from .packaged import load_safetensors, save_safetensors
from .source import CheckpointError, TensorSource

__all__ = [
    "Architecture",
    "CheckpointError",
    "Lora",
    "TensorSource",
    "fill",
    "inspect_checkpoint",
    "load_safetensors",
    "open_checkpoint",
    "parse_loras",
    "save_safetensors",
    "vae_part",
    "with_loras",
]
