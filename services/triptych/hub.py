"""Files of the Hugging Face Hub, each downloaded once for all stages that share a folder.

huggingface_hub finds a file and transfers it. What it leaves out is here: it starts anew after a kill
and leaves the half file behind, and it does not look at what it got. A file has its name
only once it is whole and its sha256 is right; until then what there is of it waits to be gone on with.
"""

import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from .digests import compute, digest, remember
from .selection import weights_dir

Report = Callable[[str, float | None], None]

SHA256 = re.compile(r"[0-9a-f]{64}")
LOG_SECONDS = 10.0
MEGABYTE = 1e6
NAME = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._ -]+)*")

logger = logging.getLogger(__name__)


class DownloadError(RuntimeError):
    """A file that could not be had; says why and what to do."""

    temporary = True
    """Whether a later attempt may have it: there may be room, or a network, again."""


@dataclass(frozen=True)
class HubFile:
    """A file in a repository of the Hub; with `sha256`, exactly the one that has it."""

    repository: str
    name: str
    revision: str = "main"
    sha256: str | None = None

    @property
    def path(self) -> Path:
        """Where it is, or will be, in WEIGHTS_DIR."""
        return weights_dir() / self.repository / self.revision / self.name

    def __str__(self) -> str:
        return f"{self.name} of {self.repository}" + (
            f" ({self.revision})" if self.revision != "main" else ""
        )


def fetch(file: HubFile, report: Report) -> Path:
    """The file on this machine: as it is there, from huggingface_hub's cache, or downloaded.

    HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are huggingface_hub's own. Reports "downloading" and
    "verifying". A second process that wants the same file waits for the first. Raises DownloadError.
    """
    found = _found(file, report)
    if found:
        return found
    _refuse_offline(file)
    file.path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file, report):
        return _found(file, report) or _downloaded(file, report)


def list_files(repository: str, revision: str) -> list[str]:
    """The names of all files in a repository. Raises DownloadError."""
    from huggingface_hub import HfApi

    everything = HubFile(repository, "the list of files", revision)
    _refuse_offline(everything)
    with _explained(everything):
        return [
            name
            for name in HfApi().list_repo_files(repository, revision=revision)
            if NAME.fullmatch(name) and ".." not in name.split("/")
        ]


def _found(file: HubFile, report: Report) -> Path | None:
    _link_from_cache(file)
    path = file.path
    if not path.is_file():
        return None
    if file.sha256 is None or digest(path, lambda done: report("verifying", done)) == file.sha256:
        return path
    logger.warning("%s is not %s: it has another sha256. It is removed", path, file)
    path.unlink()
    return None


def _link_from_cache(file: HubFile) -> None:
    """To what other programs have downloaded."""
    from huggingface_hub import try_to_load_from_cache

    if file.path.exists():
        return
    cached = try_to_load_from_cache(file.repository, file.name, revision=file.revision)
    if isinstance(cached, str):
        file.path.unlink(missing_ok=True)
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.symlink_to(cached)


def _refuse_offline(file: HubFile) -> None:
    from huggingface_hub.constants import HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        raise DownloadError(
            f"{file} is not here, and HF_HUB_OFFLINE forbids to download it. Download it with "
            f"`make download` where there is a network, or put it at {file.path}"
        )


def _beside(file: HubFile, ending: str) -> Path:
    return file.path.with_name(f".{file.path.name}.{ending}")


@contextmanager
def _locked(file: HubFile, report: Report) -> Iterator[None]:
    """While nobody else downloads the file."""
    lock = FileLock(_beside(file, "lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("another process downloads %s: waiting for it", file)
        report("downloading", None)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _downloaded(file: HubFile, report: Report) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    report("downloading", None)
    with _explained(file):
        metadata = get_hf_file_metadata(hf_hub_url(file.repository, file.name, revision=file.revision))
        partial = _beside(file, f"{(metadata.etag or 'unknown')[:16]}.partial")
        _make_room(file, partial, metadata.size)
        _transfer(file, metadata, partial, report)
    sha256 = _verified(partial, file.sha256 or metadata.etag or "", file, report)
    os.replace(partial, file.path)
    remember(file.path, sha256)
    return file.path


def _make_room(file: HubFile, partial: Path, size: int | None) -> None:
    """Raise DownloadError if the disk is too small; remove what is left of other versions of the file."""
    for old in file.path.parent.glob(f".{file.path.name}.*.partial"):
        if old != partial or size is None or old.stat().st_size > size:
            old.unlink()
    there = partial.stat().st_size if partial.exists() else 0
    missing = (size or 0) - there - shutil.disk_usage(partial.parent).free
    if missing > 0:
        raise DownloadError(
            f"{file} has {_said(size or 0)}, for which {weights_dir()} lacks {_said(missing)}: "
            "make room there, or set WEIGHTS_DIR"
        )


def _said(size: float) -> str:
    return f"{size / MEGABYTE:.0f} MB" if size >= MEGABYTE else f"{size:.0f} bytes"


def _transfer(file: HubFile, metadata: Any, partial: Path, report: Report) -> None:
    """From where the last attempt ended, to the end."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    headers = build_hf_headers()
    if urlsplit(metadata.location).netloc != urlsplit(constants.ENDPOINT).netloc:
        headers.pop("authorization", None)
    with partial.open("ab") as out:
        http_get(
            metadata.location,
            out,
            resume_size=out.tell(),
            headers=headers,
            expected_size=metadata.size,
            displayed_filename=file.name,
            **_progress(http_get, file, report),
        )


def _verified(partial: Path, expected: str, file: HubFile, report: Report) -> str:
    """The sha256 of what arrived, which for a large file the Hub's tag must be."""
    found = compute(partial, lambda done: report("verifying", done))
    if SHA256.fullmatch(expected) and found != expected:
        partial.unlink()
        raise DownloadError(
            f"{file} arrived damaged: its sha256 is {found}, it must be {expected}. It has been removed; "
            "start again to download it anew"
        )
    return found


@contextmanager
def _explained(file: HubFile) -> Iterator[None]:
    """Turns what huggingface_hub raises inside into a DownloadError that says what to do."""
    try:
        yield
    except _failures() as error:
        raise DownloadError(f"{file} could not be downloaded. {_advice(file, error)} ({error})") from error


def _failures() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises, and its HTTP client: httpx2, formerly httpx, before 1.0 OSErrors alone."""
    clients = [import_module(name) for name in ("httpx2", "httpx") if find_spec(name)]
    return OSError, ValueError, *(client.HTTPError for client in clients)


def _advice(file: HubFile, error: Exception) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "Accept its terms on its page of the Hub, and set HF_TOKEN to a token of that account"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"The repository has no revision {file.revision}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"The Hub has no repository {file.repository}, or HF_TOKEN may not see it. (A file or folder on "
            "this machine must be named as it is there)"
        )
    if isinstance(error, errors.EntryNotFoundError):
        return "The repository has no such file"
    return f"Check the network and the disk, or put what is missing into {file.path.parent}"


def _progress(http_get: Callable[..., None], file: HubFile, report: Report) -> dict[str, Any]:
    """How it reports progress; before 1.0 it cannot, and an endpoint's server has such a version."""
    known = "tqdm_class" in signature(http_get).parameters
    return {"tqdm_class": _reporting_bar(file, report)} if known else {}


def _reporting_bar(file: HubFile, report: Report) -> type[Any]:
    """huggingface_hub's progress bar, which also reports; without a terminal it writes to the log."""
    from huggingface_hub.utils.tqdm import tqdm

    terminal = sys.stderr.isatty()

    class ReportingBar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs | {"disable": None if terminal else True})  # type: ignore[no-untyped-call]
            self._done: float = kwargs.get("initial", 0)
            self._whole: float = kwargs.get("total") or 0
            self._logged = -LOG_SECONDS

        def update(self, n: float | None = 1) -> bool | None:
            self._done += n or 0
            if self._whole:
                report("downloading", min(1.0, self._done / self._whole))
                self._log()
            shown: bool | None = super().update(n)
            return shown

        def _log(self) -> None:
            now = time.monotonic()
            if not terminal and now - self._logged >= LOG_SECONDS:
                self._logged = now
                done, whole = self._done / MEGABYTE, self._whole / MEGABYTE
                logger.info("downloading %s: %.0f of %.0f MB", file, done, whole)

    return ReportingBar
