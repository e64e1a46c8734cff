"""Downloads from a fake of the Hub, in processes of their own: huggingface_hub reads its environment once."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fake_hub import fake_hub, sha256
from tests.running import inherited_environment

# huggingface_hub writes pieces of 10 MB.
CONTENT = bytes(range(256)) * 100_000
SMALL = b'{"a": 1}'
SHA256 = sha256(CONTENT)
FILES = {"someone/models": {"folder/model.h5": CONTENT, "config.json": SMALL}}
FETCH = """
import json, logging, sys
from triptych.hub import DownloadError, HubFile, fetch
logging.basicConfig(level=logging.INFO)
states = []
report = lambda state, progress: states.append([state, progress])
try:
    path = fetch(HubFile("someone/models", sys.argv[1], sha256=sys.argv[2] or None), report)
    print(json.dumps({"states": states, "path": str(path)}))
except DownloadError as error:
    print(json.dumps({"states": states, "error": str(error)}))
"""


def start(directory: Path, endpoint: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    name, checksum = (*arguments, *("folder/model.h5", SHA256)[len(arguments) :])
    own = {"HF_ENDPOINT": endpoint, "WEIGHTS_DIR": str(directory), "HF_HOME": str(directory / "hf")}
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, name, checksum],
        env={**inherited_environment(), **own, "KERAS_BACKEND": "openvino", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, log = process.communicate(timeout=120)
    assert process.returncode == 0, log
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result | {"log": log}


def fetch(directory: Path, endpoint: str, *arguments: str, **environment: str) -> dict[str, Any]:
    return answer(start(directory, endpoint, *arguments, **environment))


def files(directory: Path) -> list[str]:
    """What a user sees in the folder: not the notes, locks and unfinished files, whose names have a dot."""
    return [path.name for path in directory.rglob("[!.]*") if path.is_file() and ".digests" not in path.parts]


def until(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_file_is_downloaded_and_verified(tmp_path: Path) -> None:
    with fake_hub(FILES) as hub:
        result = fetch(tmp_path, hub.url)
    assert list(dict.fromkeys(state for state, _ in result["states"])) == ["downloading", "verifying"]
    progress = [share for state, share in result["states"] if state == "downloading" and share is not None]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert re.search(r"downloading folder/model\.h5 of someone/models: \d+ of 26 MB", result["log"])
    assert Path(result["path"]).read_bytes() == CONTENT
    assert files(tmp_path) == ["model.h5"]


def test_a_file_that_is_there_needs_no_hub_and_is_not_read_again(tmp_path: Path) -> None:
    with fake_hub(FILES) as hub:
        fetch(tmp_path, hub.url)
    result = fetch(tmp_path, "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert result["states"] == []
    assert Path(result["path"]).read_bytes() == CONTENT


def test_a_small_file_has_no_sha256_at_the_hub_and_is_taken_as_it_is(tmp_path: Path) -> None:
    with fake_hub(FILES) as hub:
        result = fetch(tmp_path, hub.url, "config.json", "")
    assert Path(result["path"]).read_bytes() == SMALL


def test_a_file_that_another_program_has_downloaded_is_used(tmp_path: Path) -> None:
    snapshot = tmp_path / "hf/hub/models--someone--models/snapshots" / ("0" * 40)
    (snapshot / "folder").mkdir(parents=True)
    (snapshot / "folder/model.h5").write_bytes(CONTENT)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs/main").write_text("0" * 40)
    result = fetch(tmp_path / "weights", "http://127.0.0.1:9", HF_HOME=str(tmp_path / "hf"))
    assert Path(result["path"]).read_bytes() == CONTENT


def test_a_damaged_file_is_refused_with_both_checksums_and_never_has_its_name(tmp_path: Path) -> None:
    with fake_hub(FILES) as hub:
        result = fetch(tmp_path, hub.url, "folder/model.h5", "0" * 64)
    assert "arrived damaged" in result["error"]
    assert SHA256 in result["error"]
    assert "0" * 64 in result["error"]
    assert files(tmp_path) == []


def test_a_file_that_was_damaged_on_the_disk_is_downloaded_anew(tmp_path: Path) -> None:
    with fake_hub(FILES) as hub:
        path = Path(fetch(tmp_path, hub.url)["path"])
        path.write_bytes(CONTENT[:-1] + b"!")
        result = fetch(tmp_path, hub.url)
    assert path.read_bytes() == CONTENT
    assert "it has another sha256. It is removed" in result["log"]


def test_a_transfer_that_is_cut_goes_on_where_it_ended(tmp_path: Path) -> None:
    with fake_hub(FILES, cut=15_000_000) as hub:
        result = fetch(tmp_path, hub.url)
        ranges = [asked[2] for asked in hub.asked if asked[0] == "GET"]
    assert Path(result["path"]).read_bytes() == CONTENT
    assert len(ranges) == 2
    assert 0 < int(ranges[1].removeprefix("bytes=").removesuffix("-")) <= 15_000_000


def test_after_a_kill_no_half_file_has_its_name_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with fake_hub(FILES, pause=0.005) as hub:
        process = start(tmp_path, hub.url)
        until(lambda: any(path.stat().st_size > 100_000 for path in tmp_path.rglob("*.partial")))
        process.kill()
        process.communicate()
        assert files(tmp_path) == []
        hub.pause = 0.0
        hub.asked.clear()
        result = fetch(tmp_path, hub.url)
        assert [asked[2] > "bytes=0" for asked in hub.asked if asked[0] == "GET"] == [True]
    assert Path(result["path"]).read_bytes() == CONTENT
    assert list(tmp_path.rglob("*.partial")) == []


def test_what_was_begun_of_another_version_of_the_file_is_not_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "someone/models/main/folder"
    folder.mkdir(parents=True)
    (folder / ".model.h5.0123456789abcdef.partial").write_bytes(b"old")
    with fake_hub(FILES) as hub:
        result = fetch(tmp_path, hub.url)
    assert Path(result["path"]).read_bytes() == CONTENT
    assert list(tmp_path.rglob("*.partial")) == []


def test_two_stages_that_want_the_same_file_download_it_once(tmp_path: Path) -> None:
    with fake_hub(FILES, pause=0.002) as hub:
        processes = [start(tmp_path, hub.url) for _ in range(2)]
        results = [answer(process) for process in processes]
        assert hub.transfers == ["model.h5"]
    assert results[0]["path"] == results[1]["path"]
    assert any("another process downloads" in result["log"] for result in results)


def test_the_token_goes_to_the_hub_and_not_to_its_storage(tmp_path: Path) -> None:
    with fake_hub(FILES, token="hf_secret") as hub:
        result = fetch(tmp_path, hub.url, HF_TOKEN="hf_secret")
        assert hub.leaked == []
    assert Path(result["path"]).read_bytes() == CONTENT


def failure(directory: Path, endpoint: str, *arguments: str, **environment: str) -> str:
    error: str = fetch(directory, endpoint, *arguments, **environment)["error"]
    assert files(directory) == []
    return error


def test_a_hub_out_of_reach_is_told_with_what_to_do(tmp_path: Path) -> None:
    error = failure(tmp_path, "http://127.0.0.1:9")
    assert "folder/model.h5 of someone/models could not be downloaded. Check the network" in error
    assert str(tmp_path / "someone/models/main/folder") in error


def test_offline_says_which_file_is_missing_and_where_it_belongs(tmp_path: Path) -> None:
    error = failure(tmp_path, "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert "folder/model.h5 of someone/models is not here, and HF_HUB_OFFLINE forbids" in error
    assert "make download" in error
    assert str(tmp_path / "someone/models/main/folder/model.h5") in error


@pytest.mark.parametrize(
    ("options", "name", "sentence"),
    [
        ({"token": "hf_secret"}, "config.json", "HF_TOKEN may not see it"),
        ({}, "other.json", "The repository has no such file"),
    ],
)
def test_what_the_hub_refuses_is_said_in_a_sentence(
    tmp_path: Path, options: dict[str, str], name: str, sentence: str
) -> None:
    with fake_hub(FILES, **options) as hub:
        assert sentence in failure(tmp_path, hub.url, name, "")


def test_a_disk_that_is_too_small_is_told_before_the_transfer(tmp_path: Path) -> None:
    class Enormous(bytes):
        def __len__(self) -> int:
            return 10**15

    with fake_hub({"someone/models": {"big.h5": Enormous(CONTENT)}}) as hub:
        error = failure(tmp_path, hub.url, "big.h5", "")
        assert hub.transfers == []
    assert re.search(r"big\.h5 of someone/models has 1000000000 MB, for which .* lacks \d+ MB", error)
