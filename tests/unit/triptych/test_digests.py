import hashlib
import os
from pathlib import Path

import pytest

from triptych.digests import compute, digest, remember

CONTENT = bytes(range(256)) * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WEIGHTS_DIR", str(tmp_path / "weights"))
    file = tmp_path / "model.safetensors"
    file.write_bytes(CONTENT)
    return file


def test_a_digest_is_that_of_the_bytes_and_is_computed_once(path: Path) -> None:
    read: list[float] = []
    assert digest(path, read.append) == digest(path, read.append) == SHA256
    assert read == [1.0]


def test_a_file_that_has_changed_is_read_again(path: Path) -> None:
    digest(path)
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(0, 0))
    assert digest(path) == hashlib.sha256(CONTENT[::-1]).hexdigest()


def test_what_is_known_from_elsewhere_is_believed_for_this_file_alone(path: Path) -> None:
    remember(path, "ab" * 32)
    assert digest(path) == "ab" * 32
    path.rename(other := path.with_name("other"))
    assert digest(other) == SHA256


def test_a_damaged_note_counts_as_none(path: Path, tmp_path: Path) -> None:
    digest(path)
    for note in (tmp_path / "weights" / ".digests").iterdir():
        note.write_text("[]")
    assert digest(path) == SHA256


def test_where_nothing_can_be_noted_the_digest_is_right_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHTS_DIR", str(path / "below-a-file"))
    assert digest(path) == SHA256


def test_progress_goes_up_to_the_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triptych.digests.CHUNK", 10_000)
    read: list[float] = []
    compute(path, read.append)
    assert read == sorted(read)
    assert len(read) == 3
    assert read[-1] == 1
