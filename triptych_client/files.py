"""The files that a command names: pictures to read, pictures to write."""

from pathlib import Path

from .errors import BadUsage, Failed

FORMATS = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}


def output_format(path: Path) -> str:
    """The gateway's name of the format that a file's ending stands for. Raises BadUsage."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise BadUsage(f"--out must end in {', '.join(FORMATS)}; got {path}.") from None


def check_writable(path: Path) -> None:
    """Before minutes go into a picture that has nowhere to go. Raises BadUsage."""
    if path.is_dir() or not path.parent.is_dir():
        raise BadUsage(f"{path} cannot be written: its folder must exist, and it must be no folder.")


def read_picture(path: Path) -> bytes:
    """Raises BadUsage."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadUsage(f"{path} cannot be read: {error.strerror}.") from None


def numbered(path: Path, count: int) -> list[Path]:
    """A path for each of so many pictures: apple.png, or apple-1.png, apple-2.png and so on."""
    if count == 1:
        return [path]
    return [path.with_stem(f"{path.stem}-{number}") for number in range(1, count + 1)]


def save(path: Path, data: bytes) -> None:
    """Writes the file whole or not at all. Raises Failed."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Failed(f"{path} cannot be written: {error.strerror}.") from None
