"""What fills a model: the built-in file, or checkpoints with LoRAs merged into them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .checkpoints import fill, load_safetensors, open_checkpoint, with_loras
from .checkpoints.opening import COMPONENTS, component_files
from .digests import digest
from .locations import Location
from .skeleton import unfilled

if TYPE_CHECKING:
    import keras

    from .variants import Variant

Report = Callable[[str, float | None], None]
ASSETS = Path(__file__).parent / "assets"
SHORT_HASH = 10


def unreported(state: str, progress: float | None = None) -> None:
    """A report that nobody reads."""


class Weights(Protocol):
    """The values of the parts of a model."""

    def fetch(self, part: str, report: Report) -> None:
        """Have the part's files here. Raises DownloadError."""

    def fill(self, model: "keras.Model", part: str, report: Report) -> None:
        """Give every variable of a skeleton its value. Raises DownloadError or CheckpointError."""

    def digest(self, part: str) -> str:
        """Hexadecimal digits that are the same for the same values, once the files are here."""


@dataclass(frozen=True)
class PackagedFile:
    """A safetensors file of all parts, shipped beside this module."""

    name: str

    @property
    def path(self) -> Path:
        return ASSETS / self.name

    def fetch(self, part: str, report: Report) -> None:
        """It is here."""

    def fill(self, model: "keras.Model", part: str, report: Report) -> None:
        report("loading", None)
        load_safetensors(model, self.path, part)

    def digest(self, part: str) -> str:
        return digest(self.path)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, and the LoRAs that are added to it with their weights."""

    location: Location
    loras: tuple[tuple[Location, float], ...] = ()
    allow_pickle: bool = False

    def fetch(self, part: str, report: Report) -> None:
        self._paths(part, report)

    def fill(self, model: "keras.Model", part: str, report: Report) -> None:
        path, loras = self._paths(part, report)
        report("loading", 0.0)
        source = open_checkpoint(path, part, self.allow_pickle)
        fill(model, part, with_loras(source, loras, part, self.allow_pickle), report)

    def digest(self, part: str) -> str:
        path, loras = self._paths(part, unreported)
        files = component_files(path, COMPONENTS[part].folder, self.allow_pickle) if path.is_dir() else [path]
        found = [digest(file) for file in files] + [f"{digest(lora)}:{weight}" for lora, weight in loras]
        return found[0] if len(found) == 1 else hashlib.sha256(" ".join(found).encode()).hexdigest()

    def _paths(self, part: str, report: Report) -> tuple[Path, list[tuple[Path, float]]]:
        loras = [(location.fetch(part, report), weight) for location, weight in self.loras]
        return self.location.fetch(part, report), loras


def load_part(variant: "Variant", name: str, report: Report) -> "keras.Model":
    """The named part of the variant, built without values and filled with its weights."""
    part = variant.parts[name]
    part.weights.fetch(name, report)
    report("loading", None)
    with unfilled(variant.dtype):
        model = part.build()
    part.weights.fill(model, name, report)
    return model


def short_hash(weights: Weights, part: str) -> str:
    """The first ten hexadecimal digits of the part's digest: enough to tell two models apart."""
    return weights.digest(part)[:SHORT_HASH]
