"""Which stage and which model a bundle is made of: what the environment says that an endpoint can have."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from triptych.selection import Selection

SERVICES = Path(__file__).parent.parent / "services"
STAGES = ("text_encoder", "diffusion", "inpainting", "decoder", "all_in_one")
VARIABLES = (
    "SD_VERSION",
    "MODEL",
    "VAE",
    "LORA",
    "ALLOW_PICKLE",
    "PREDICTION_TYPE",
    "DTYPE",
    "MAX_COMPILED_SIZES",
    "KERAS_BACKEND",
)
"""What a bundle carries with it."""

DEFAULTS = SERVICES.parent / "compose" / "backends"
"""Lines such as DECODER_BACKEND=openvino: which is best for each stage on a CPU."""
BACKENDS = {
    "tensorflow": ("cpu", ["tensorflow-cpu==2.21.0"]),
    "openvino": ("cpu", ["openvino==2026.4.1", "scipy==1.17.1"]),
    "torch": ("gpu", []),
}
"""Keras' backends in an endpoint: on what they compute there, and what is installed for them. PyTorch, with
CUDA, is in the endpoint's image."""


class BundleError(ValueError):
    """What cannot be a Hugging Face Endpoint; says why and what to do."""


@dataclass(frozen=True)
class Selected:
    """`stage` is the folder's name; `environment` has the variables that are set, the backend among them."""

    stage: str
    environment: dict[str, str]
    is_built_in: bool

    @classmethod
    def read(cls) -> "Selected":
        """From STAGE, ACCELERATOR and VARIABLES. Raises BundleError or SelectionError."""
        stage = os.environ.get("STAGE", "").strip()
        if stage not in STAGES:
            raise BundleError(f"STAGE must be one of {', '.join(STAGES)}; got {stage!r}")
        selection = Selection.read()
        said = {name: os.environ.get(name, "").strip() for name in VARIABLES}
        accelerator = os.environ.get("ACCELERATOR", "").strip()
        said["KERAS_BACKEND"] = _backend(stage, said["KERAS_BACKEND"], accelerator)
        for name in ("MODEL", "VAE", "LORA"):
            _refuse_local(name, said[name])
        return cls(stage, {name: value for name, value in said.items() if value}, selection.is_built_in)

    @property
    def name(self) -> str:
        """The stage and the model, as in `diffusion-1.4`."""
        return f"{self.stage}-{self.model}"

    @property
    def model(self) -> str:
        """The version, or the last part of MODEL without its revision and ending."""
        last = self.environment.get("MODEL", "").partition("@")[0].rpartition("/")[2]
        return last.removesuffix(".safetensors") or self.environment.get("SD_VERSION", "tiny")

    @property
    def digest(self) -> str:
        """Of what `name` leaves out: MODEL's owner and revision, VAE and LORA. Empty where none is set, and a
        version says all."""
        told = [self.environment.get(name, "") for name in ("MODEL", "VAE", "LORA")]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:6] if any(told) else ""

    @property
    def requirements(self) -> list[str]:
        """The stage's own, with the libraries of its backend."""
        own = (SERVICES / self.stage / "requirements.txt").read_text().splitlines()
        kept = [line for line in own if not line.startswith("tensorflow")]
        return sorted(kept + BACKENDS[self.environment["KERAS_BACKEND"]][1])


def _backend(stage: str, name: str, accelerator: str) -> str:
    if accelerator not in ("", "cpu", "gpu"):
        raise BundleError(f"ACCELERATOR must be cpu or gpu; got {accelerator!r}")
    name = name or ("torch" if accelerator == "gpu" else _default(stage))
    if name not in BACKENDS:
        raise BundleError(f"KERAS_BACKEND must be one of {', '.join(BACKENDS)} in an endpoint; got {name!r}")
    if accelerator == "gpu" and BACKENDS[name][0] != "gpu":
        raise BundleError(
            f"KERAS_BACKEND={name} computes on the CPU in an endpoint: with ACCELERATOR=gpu leave it out, "
            "or set it to torch"
        )
    return name


def _default(stage: str) -> str:
    lines = (line.split("_BACKEND=") for line in DEFAULTS.read_text().splitlines() if line[:1] != "#")
    return dict(lines)[stage.upper()]


def _refuse_local(variable: str, value: str) -> None:
    for name in value.split(","):
        if name.startswith(("/", ".", "~")) or (name and Path(name).exists()):
            raise BundleError(
                f"{variable}={value} is on this machine, where an endpoint cannot see it: push it to the Hub "
                f"and set {variable} to owner/name or owner/name/file.safetensors"
            )
