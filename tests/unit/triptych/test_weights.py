"""Downloads, from a fake of the Hugging Face Hub on a real socket."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.running import inherited_environment

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FETCH = """
import json, sys
from triptych.weights import HubFile, WeightsError
states = []
class Model:
    def load_weights(self, path):
        print(json.dumps({"states": states, "bytes": path.stat().st_size}))
try:
    HubFile("someone/models", "model.h5", sys.argv[1]).fill(
        Model(), "decoder", lambda state, progress: states.append([state, progress])
    )
except WeightsError as error:
    print(json.dumps({"states": states, "error": str(error)}))
"""


class FakeHub(BaseHTTPRequestHandler):
    """The part of the Hub that serves one file: resolve, with the headers that huggingface_hub reads."""

    def do_HEAD(self) -> None:
        self._send_headers(200 if self.path == "/someone/models/resolve/main/model.h5" else 404)

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(CONTENT)

    def _send_headers(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.send_header("ETag", f'"{SHA256}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(directory: Path, endpoint: str, sha256: str = SHA256, **environment: str) -> dict[str, Any]:
    own = {"HF_ENDPOINT": endpoint, "WEIGHTS_DIR": str(directory), "HF_HUB_DISABLE_XET": "1", **environment}
    result = subprocess.run(
        [sys.executable, "-c", FETCH, sha256],
        env={**inherited_environment(), **own},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def test_a_file_is_downloaded_verified_and_then_loaded(hub: str, tmp_path: Path) -> None:
    answer = fetch(tmp_path, hub)
    states = [state for state, _ in answer["states"]]
    assert list(dict.fromkeys(states)) == ["downloading", "verifying", "loading"]
    assert answer["bytes"] == len(CONTENT)
    assert (tmp_path / "model.h5").read_bytes() == CONTENT


def test_a_file_that_is_there_needs_no_hub(hub: str, tmp_path: Path) -> None:
    fetch(tmp_path, hub)
    answer = fetch(tmp_path, "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert answer["bytes"] == len(CONTENT)


def test_a_damaged_file_is_removed_and_named_with_both_checksums(hub: str, tmp_path: Path) -> None:
    answer = fetch(tmp_path, hub, sha256="0" * 64)
    assert SHA256 in answer["error"]
    assert "0" * 64 in answer["error"]
    assert not (tmp_path / "model.h5").exists()


def test_a_hub_out_of_reach_is_told_with_what_to_do(tmp_path: Path) -> None:
    answer = fetch(tmp_path, "http://127.0.0.1:9")
    assert "could not be downloaded" in answer["error"]
    assert "put the file into" in answer["error"]
    assert not (tmp_path / "model.h5").exists()
