"""Where a checkpoint is: a file or folder of this machine, or of the Hugging Face Hub."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Protocol

from .checkpoints import CheckpointError
from .checkpoints.lora import PEFT_SETTINGS, PEFT_STEM
from .checkpoints.opening import COMPONENTS, ENDINGS, H5, PICKLES, STEMS, component_files
from .checkpoints.pickles import ADVICE
from .hub import DownloadError, HubFile, Report, fetch, list_files

WEIGHTS = (".safetensors", *PICKLES, *H5)
DIFFUSERS_LORA, PEFT_LORA = "pytorch_lora_weights.safetensors", f"{PEFT_STEM}.safetensors"
REPOSITORY = re.compile(
    r"(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)(@(?P<revision>[\w-][\w./-]*?))?(/(?P<file>[^@]+))?"
)
INDEX = "model_index.json"
CONFIGURATION = (
    "unet/config.json",
    "text_encoder/config.json",
    "scheduler/scheduler_config.json",
    INDEX,
)


class Location(Protocol):
    """A checkpoint of the whole model or of some parts, that `open_checkpoint` can read once it is here."""

    def describe(self, report: Report) -> Path:
        """A path for `inspect_checkpoint`. Raises DownloadError or CheckpointError."""

    def fetch(self, part: str, report: Report) -> Path:
        """A path for `open_checkpoint`, with the part's own files there. Raises as `describe`."""


@dataclass(frozen=True)
class LocalPath:
    """A file or folder of this machine."""

    path: Path

    def describe(self, report: Report) -> Path:
        return self.path

    def fetch(self, part: str, report: Report) -> Path:
        return self.path


@dataclass(frozen=True)
class RemoteFile:
    """One file of the Hub that holds all that is asked of it, with what must lie `beside` it."""

    file: HubFile
    beside: tuple[str, ...] = ()

    def describe(self, report: Report) -> Path:
        for name in self.beside:
            path = PurePosixPath(self.file.name).with_name(name)
            fetch(replace(self.file, name=str(path), sha256=None), report)
        return fetch(self.file, report)

    def fetch(self, part: str, report: Report) -> Path:
        return self.describe(report)


@dataclass(frozen=True)
class RemoteFolder:
    """A repository of the Hub in diffusers' layout; what is here once is not asked for again."""

    repository: str
    revision: str
    allow_pickle: bool

    def describe(self, report: Report) -> Path:
        root = self._file(INDEX).path
        if not root.is_file():
            self._fetch_configuration(report)
        return root.parent

    def fetch(self, part: str, report: Report) -> Path:
        root = self._file(INDEX).path.parent
        if not self._is_here(root, part):
            names = list_files(self.repository, self.revision)
            for name in self._weights(names, part):
                fetch(self._file(name), report)
            self._fetch_shards(root, part, report)
        return root

    def _fetch_configuration(self, report: Report) -> None:
        names = list_files(self.repository, self.revision)
        if INDEX not in names:
            raise DownloadError(
                f"{self.repository} is not in diffusers' layout: it has no {INDEX}. Name one of its files, "
                f"as {self.repository}/{self._examples(names)}"
            )
        for name in CONFIGURATION:
            if name in names:
                fetch(self._file(name), report)

    def _examples(self, names: Iterable[str]) -> str:
        files = [name for name in names if name.endswith(WEIGHTS)]
        return ", ".join(files) if files else "… (though none of them seems to hold weights)"

    def _is_here(self, root: Path, part: str) -> bool:
        try:
            return all(
                path.is_file() for path in component_files(root, COMPONENTS[part].folder, self.allow_pickle)
            )
        except CheckpointError:
            return False

    def _weights(self, names: list[str], part: str) -> list[str]:
        """The file of the part's weights, or the index of several. Repositories of a VAE have no folders."""
        folder = COMPONENTS[part].folder
        root = f"{folder}/" if any(name.startswith(f"{folder}/") for name in names) else ""
        for ending in ENDINGS:
            for stem in STEMS:
                if (name := f"{root}{stem}{ending}") in names:
                    return [self._allowed(name)]
        raise DownloadError(
            f"{self.repository} has no weights of the {part}: diffusers keeps them in "
            f"{root}{STEMS[0]}.safetensors"
        )

    def _allowed(self, name: str) -> str:
        if ".bin" in name and not self.allow_pickle:
            raise CheckpointError(f"{self.repository}/{name}: {ADVICE}")
        return name

    def _fetch_shards(self, root: Path, part: str, report: Report) -> None:
        for path in component_files(root, COMPONENTS[part].folder, self.allow_pickle):
            fetch(self._file(path.relative_to(root).as_posix()), report)

    def _file(self, name: str) -> HubFile:
        return HubFile(self.repository, name, self.revision)


def parse_location(variable: str, text: str, allow_pickle: bool) -> Location:
    """What MODEL, VAE or an item of LORA names. Raises CheckpointError if it names nothing.

    Something of this machine if it is there, or begins with a slash, dot or tilde; else of the Hub.
    """
    path = Path(text).expanduser()
    if path.exists():
        return LocalPath(path)
    found = REPOSITORY.fullmatch(text)
    if text.startswith(("/", ".", "~")) or not found:
        raise CheckpointError(
            f"{variable}: there is no {text} here. Name a file or folder of this machine, or a repository of "
            "the Hub as owner/name"
        )
    revision = found["revision"] or "main"
    if found["file"]:
        return RemoteFile(HubFile(found["repository"], found["file"], revision))
    return RemoteFolder(found["repository"], revision, allow_pickle)


def parse_lora_location(text: str, allow_pickle: bool) -> Location:
    """What an item of LORA names; a folder or repository stands for the file that diffusers writes there.

    In a folder peft's is taken too. Raises CheckpointError, also for a folder that has neither.
    """
    location = parse_location("LORA", text, allow_pickle)
    if isinstance(location, RemoteFolder):
        return RemoteFile(HubFile(location.repository, DIFFUSERS_LORA, location.revision))
    if isinstance(location, RemoteFile) and PurePosixPath(location.file.name).stem == PEFT_STEM:
        return replace(location, beside=(PEFT_SETTINGS,))
    if isinstance(location, LocalPath) and location.path.is_dir():
        return LocalPath(_lora_in(location.path))
    return location


def _lora_in(folder: Path) -> Path:
    for name in (DIFFUSERS_LORA, PEFT_LORA):
        if (folder / name).is_file():
            return folder / name
    raise CheckpointError(
        f"LORA: {folder} is a folder without {DIFFUSERS_LORA} or {PEFT_LORA}: name the file"
    )
