"""JSON files beside weights, and what is none."""

from pathlib import Path

import pytest

from triptych.checkpoints import CheckpointError
from triptych.checkpoints.configuration import MAX_BYTES, read_object


def test_an_object_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"in_channels": 9}')
    assert read_object(tmp_path / "config.json") == {"in_channels": 9}


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert read_object(tmp_path / "config.json") == {}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[1, 2]", "holds a list, not a JSON object"),
        (b"", "is no JSON"),
        (b"\xff\xfe\xff", "is no JSON"),
        (b'{"a":' + b"[" * 10**6, "is no JSON"),
        (b'{"a": 1' + b" " * MAX_BYTES, "is no configuration"),
    ],
    ids=["list", "empty", "bytes", "deep", "large"],
)
def test_what_is_no_object_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"config\.json .*{sentence}"):
        read_object(tmp_path / "config.json")
