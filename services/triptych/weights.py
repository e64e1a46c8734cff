"""Where weights come from: the package itself, or the Hugging Face Hub, checked before use."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checkpoints import load_safetensors

if TYPE_CHECKING:
    import keras

    from .variants import Part, Variant

Report = Callable[[str, float | None], None]
ASSETS = Path(__file__).parent / "assets"
CHUNK = 16 * 2**20
SHORT_HASH = 10


class WeightsError(RuntimeError):
    """Weights that are missing, damaged or of another model; says what to do."""


def unreported(state: str, progress: float | None = None) -> None:
    """A report that nobody reads."""


@dataclass(frozen=True)
class PackagedFile:
    """A safetensors file of all parts, shipped beside this module."""

    name: str

    @property
    def path(self) -> Path:
        return ASSETS / self.name

    @property
    def sha256(self) -> str:
        return _sha256(self.path)

    def fill(self, model: "keras.Model", part: str, report: Report) -> None:
        """Read the part's own tensors into the model."""
        report("loading", None)
        load_safetensors(model, self.path, part)


@dataclass(frozen=True)
class HubFile:
    """A Keras .h5 file in a repository of the Hugging Face Hub, with its checksum.

    HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are huggingface_hub's own; WEIGHTS_DIR is where files stay.
    """

    repository: str
    name: str
    sha256: str

    def fill(self, model: "keras.Model", part: str, report: Report) -> None:
        """Download what is not there yet, verify it, and read it into the model."""
        report("downloading", None)
        path = self._downloaded(report)
        report("verifying", 0.0)
        found = _sha256(path, report)
        if found != self.sha256:
            path.unlink()
            raise WeightsError(
                f"{self.name} of {self.repository} is damaged: its sha256 is {found}, it must be "
                f"{self.sha256}. It has been removed; start again to download it anew"
            )
        report("loading", None)
        model.load_weights(path)

    def _downloaded(self, report: Report) -> Path:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        directory = os.environ.get("WEIGHTS_DIR") or None
        try:
            path = hf_hub_download(
                self.repository, self.name, local_dir=directory, tqdm_class=_reporting_bar(report)
            )
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            raise WeightsError(
                f"{self.name} of {self.repository} could not be downloaded ({error}). "
                f"Check the network, or put the file into {directory or 'WEIGHTS_DIR'}"
            ) from error
        return Path(path)


WeightsFile = PackagedFile | HubFile


def load_part(variant: "Variant", name: str, report: Report) -> "keras.Model":
    """Build the named part of the variant and fill it with its weights."""
    part: Part = variant.parts[name]
    report("loading", None)
    model = part.build()
    part.file.fill(model, name, report)
    return model


@cache
def short_hash(file: WeightsFile) -> str:
    """The first ten hexadecimal digits of the file's sha256: enough to tell two models apart."""
    return file.sha256[:SHORT_HASH]


def _sha256(path: Path, report: Report = unreported) -> str:
    digest = hashlib.sha256()
    size = path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            report("verifying", file.tell() / size)
    return digest.hexdigest()


def _reporting_bar(report: Report) -> type[Any]:
    """huggingface_hub's own progress bar, which also reports."""
    from huggingface_hub.utils.tqdm import tqdm

    class ReportingBar(tqdm):
        def update(self, n: float | None = 1) -> bool | None:
            if self.total:
                report("downloading", min(1.0, self.n / self.total))
            shown: bool | None = super().update(n)
            return shown

    return ReportingBar
