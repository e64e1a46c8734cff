"""A fake of the Hugging Face Hub, on a real socket: repositories of files, and what it was asked for.

Written from what huggingface_hub sends and reads: the list of a repository, and the resolve route with its
headers. For large files it redirects to another host, as the Hub does to its storage.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import sleep
from typing import Any

COMMIT = "0" * 40
LARGE = 1000
PIECE = 65536


def sha256(content: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def small_model(channels: int = 4) -> dict[str, bytes]:
    """The files of a repository in diffusers' layout, with something else in the place of weights."""
    parts = ("unet", "vae")
    return {
        "model_index.json": b'{"_class_name": "StableDiffusionPipeline"}',
        "unet/config.json": json.dumps({"cross_attention_dim": 768, "in_channels": channels}).encode(),
        **{f"{part}/diffusion_pytorch_model.safetensors": part.encode() * LARGE for part in parts},
        "text_encoder/model.safetensors": b"text" * LARGE,
    }


@dataclass
class FakeHub:
    """`repositories` has files by repository and name; `token` is asked for if it is not empty.

    `cut` ends the next transfer after so many bytes; `pause` is the time in seconds between pieces.
    """

    repositories: dict[str, dict[str, bytes]]
    token: str = ""
    cut: int | None = None
    pause: float = 0.0
    port: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Range header of every request for content or lists."""
    stored: dict[str, bytes] = field(default_factory=dict)
    leaked: list[str] = field(default_factory=list)
    """Authorization headers that reached the storage host."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def transfers(self) -> list[str]:
        """The files that were sent, at least in part."""
        return [
            path.rpartition("/")[2]
            for method, path, _ in self.asked
            if method == "GET" and "/resolve/" in path
        ]


@contextmanager
def fake_hub(repositories: dict[str, dict[str, bytes]], **options: Any) -> Iterator[FakeHub]:
    """The fake, listening on a free port until the end of the block."""
    hub = FakeHub(repositories, **options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.port = server.server_port
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output quiet."""

    def _answer(self) -> None:
        if re.search("/resolve/|/api/models/", self.path):
            self.hub.asked.append((self.command, self.path, self.headers.get("Range", "")))
        if stored := re.fullmatch(r"/storage/(\w+)/resolve/.+", self.path):
            self.hub.leaked += self.headers.get_all("Authorization", [])
            self._send(self.hub.stored[stored[1]], {})
        elif self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._refuse(401, "RepoNotFound")
        elif listing := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(tree|revision)/([^/?]+).*", self.path):
            self._list(listing[1], listing[2])
        elif file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path):
            self._resolve(file[1], file[3])
        else:
            self._refuse(404, "EntryNotFound")

    def _list(self, repository: str, kind: str) -> None:
        if repository not in self.hub.repositories:
            return self._refuse(404, "RepoNotFound")
        files = self.hub.repositories[repository]
        tree = [
            {"type": "file", "path": name, "size": len(data), "oid": COMMIT} for name, data in files.items()
        ]
        info = {"id": repository, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
        self._send(
            json.dumps(tree if kind == "tree" else info).encode(), {"Content-Type": "application/json"}
        )

    def _resolve(self, repository: str, name: str) -> None:
        if repository not in self.hub.repositories:
            return self._refuse(404, "RepoNotFound")
        content = self.hub.repositories[repository].get(name)
        if content is None:
            return self._refuse(404, "EntryNotFound")
        headers = {"X-Repo-Commit": COMMIT}
        if len(content) < LARGE:
            return self._send(content, headers | {"ETag": f'"{COMMIT}"'})
        tag = sha256(content)
        self.hub.stored.setdefault(tag, content)
        self.send_response(302)
        location = f"http://localhost:{self.hub.port}/storage/{tag}/resolve/{name}"
        linked = {"X-Linked-Etag": f'"{tag}"', "X-Linked-Size": str(len(content)), "Location": location}
        self._headers(headers | linked | {"Content-Length": "0"})

    def _send(self, content: bytes, headers: dict[str, str]) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        self.send_response(206 if wanted else 200)
        whole = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if wanted else {}
        self._headers(headers | whole | {"Content-Length": str(len(content) - start)})
        if self.command == "GET":
            self._write(content[start:])

    def _write(self, content: bytes) -> None:
        end, self.hub.cut = self.hub.cut, None
        for begin in range(0, len(content[:end]), PIECE):
            self.wfile.write(content[:end][begin : begin + PIECE])
            sleep(self.hub.pause)
        if end is not None:
            self.connection.close()

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self._headers({"X-Error-Code": code, "Content-Length": "0"})

    def _headers(self, headers: dict[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
