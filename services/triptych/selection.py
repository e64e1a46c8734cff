"""What the environment says about the model: which one, from where, and how it is computed."""

import os
from dataclasses import dataclass
from pathlib import Path

SETTINGS = {
    "SD_VERSION": (
        "tiny",
        "Which Stable Diffusion: `tiny` (built in), `1.4` or `2` (2.1 base); not needed with `MODEL`.",
    ),
    "MODEL": (
        "",
        "Other weights: a repository on the Hub, `owner/name` or `owner/name@revision`, a file in one, "
        "`owner/name/file.safetensors`, or a file or folder here. Safetensors in the layout of diffusers or "
        "of CompVis, or a Keras .h5 file of one part.",
    ),
    "VAE": ("", "Where decoder and image encoder are from, if not from the model; named as `MODEL` is."),
    "LORA": (
        "",
        "LoRA files and how much of each is added: `a.safetensors:0.8,owner/name/b.safetensors`; 1 where no "
        "number is given.",
    ),
    "ALLOW_PICKLE": (
        "false",
        "`true`: .ckpt and .bin files are read as well; nothing but tensors is taken from them.",
    ),
    "PREDICTION_TYPE": (
        "",
        "`epsilon` or `v_prediction`, for a checkpoint that does not say what its UNet predicts.",
    ),
    "DTYPE": (
        "float32",
        "What the models compute in: `float32`, `bfloat16` or `float16`. Half the size is half the memory, "
        "except on OpenVINO, and faster where the processor has units for it.",
    ),
    "MAX_COMPILED_SIZES": (
        "",
        "How many image sizes stay compiled at a time; 4 if empty, 1 for full models on OpenVINO, where each "
        "has the weights once more.",
    ),
    "BATCH_ROWS": (
        "16",
        "The most rows that the diffusion model is called with at a time; a guided picture takes two. Larger "
        "batches are tried at the start, and used where they make pictures cheaper and memory suffices.",
    ),
    "KERAS_BACKEND": (
        "tensorflow",
        "Which library computes: `tensorflow`, `openvino`, `jax` or `torch`, where it is installed.",
    ),
    "WEIGHTS_DIR": (
        "",
        "Where downloaded weights are kept, and up to 8 GiB of OpenVINO's programs made from them; "
        "`~/.cache/triptych` if empty.",
    ),
    "HF_ENDPOINT": ("", "Where weights are downloaded from, instead of the Hugging Face Hub."),
    "HF_TOKEN": ("", "Token for downloads."),
    "HF_HUB_OFFLINE": ("", "`1`: use the weights that are there, ask no network."),
}
"""Every variable of the library: its default and what it means."""

BATCH_ROWS, MAX_BATCH_ROWS = 16, 128
VERSIONS = ("tiny", "1.4", "2")
DTYPES = ("float32", "bfloat16", "float16")
PREDICTIONS = ("", "epsilon", "v_prediction")
TRUTHS = {"": False, "false": False, "0": False, "no": False, "true": True, "1": True, "yes": True}


class SelectionError(ValueError):
    """A variable that says something impossible, or that contradicts another; says which."""


@dataclass(frozen=True)
class Selection:
    """The variables as they were read; empty strings and None where they say nothing."""

    version: str
    model: str
    vae: str
    lora: str
    allow_pickle: bool
    prediction: str
    dtype: str
    max_compiled_sizes: int | None

    @classmethod
    def read(cls) -> "Selection":
        """From the environment, in which an empty variable counts as none. Raises SelectionError."""
        read = cls(
            version=_one_of("SD_VERSION", _text("SD_VERSION"), ("", *VERSIONS)),
            model=_text("MODEL"),
            vae=_text("VAE"),
            lora=_text("LORA"),
            allow_pickle=TRUTHS[_one_of("ALLOW_PICKLE", _text("ALLOW_PICKLE").lower(), tuple(TRUTHS))],
            prediction=_one_of("PREDICTION_TYPE", _text("PREDICTION_TYPE"), PREDICTIONS),
            dtype=_one_of("DTYPE", _text("DTYPE") or DTYPES[0], DTYPES),
            max_compiled_sizes=_count("MAX_COMPILED_SIZES"),
        )
        if read.is_built_in and (read.vae or read.lora):
            raise SelectionError("VAE and LORA are for the full models: set SD_VERSION or MODEL as well")
        return read

    @property
    def is_built_in(self) -> bool:
        """Whether it is the model that is shipped with the library."""
        return not self.model and self.version in ("", VERSIONS[0])


def weights_dir() -> Path:
    """The folder that downloads are kept in."""
    return Path(_text("WEIGHTS_DIR") or "~/.cache/triptych").expanduser()


def batch_rows() -> int:
    """The most rows of one call of the diffusion model. Raises SelectionError."""
    return min(_count("BATCH_ROWS") or BATCH_ROWS, MAX_BATCH_ROWS)


def _text(name: str) -> str:
    return os.environ.get(name, "").strip()


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        known = ", ".join(choice for choice in choices if choice)
        raise SelectionError(f"{name} must be one of {known}; got {value!r}")
    return value


def _count(name: str) -> int | None:
    text = _text(name)
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise SelectionError(f"{name} must be a whole number from 1; got {text!r}")
    return int(text)
