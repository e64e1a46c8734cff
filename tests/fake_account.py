"""A fake of what an account can do at Hugging Face: have repositories, push to them, and have endpoints.

Written from what huggingface_hub sends and reads. Reading the repositories is as in `fake_hub`.
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests import fake_hub
from tests.fake_hub import FakeHub

TOKEN = "hf_may_write"
POLL_SECONDS = 0.05
TIME = "2026-01-01T00:00:00.000Z"
Json = dict[str, Any]


@dataclass
class FakeAccount(FakeHub):
    """An account whose endpoints go through `states`, one each time that one is looked at; the last stays.

    A state is the API's `status`: `{"state": "running", "url": …}`. `refusal` answers every change of an
    endpoint with that status and text.
    """

    states: list[Json] = field(default_factory=list)
    refusal: tuple[int, str] | None = None
    endpoints: dict[str, Json] = field(default_factory=dict)
    """By namespace/name, as they were described last."""
    changes: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of all that was changed."""

    @property
    def api(self) -> str:
        """Where the endpoints are managed."""
        return f"{self.url}/v2"

    def described(self, name: str) -> Json:
        """The endpoint, in its next state."""
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {
            "healthRoute": "/health",
            **self.endpoints[name],
            "status": {"createdAt": TIME, "updatedAt": TIME, **state},
        }


@contextmanager
def fake_account(**options: Any) -> Iterator[FakeAccount]:
    """The fake, listening on a free port until the end of the block."""
    account = FakeAccount(**{"repositories": {}, "token": TOKEN, **options})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": account}))
    account.port = server.server_port
    thread = Thread(target=server.serve_forever, args=(POLL_SECONDS,))
    thread.start()
    try:
        yield account
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(fake_hub._Handler):
    hub: FakeAccount

    def do_POST(self) -> None:  # noqa: N802
        self._change()

    def do_PUT(self) -> None:  # noqa: N802
        self._change()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._refuse(401, "")
        elif endpoint := re.fullmatch(r"/v2/endpoint/([^/]+/[^/]+)", path):
            known = endpoint[1] in self.hub.endpoints
            self._json(self.hub.described(endpoint[1]) if known else {"error": "no such endpoint"}, known)
        elif repository := re.fullmatch(r"/api/models/([^/]+/[^/]+)", path):
            self._list(repository[1], "revision")
        else:
            super()._answer()

    def _change(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.hub.changes.append((self.command, path))
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._refuse(401, "")
        elif path.startswith("/v2/endpoint/"):
            self._change_endpoint(path.removeprefix("/v2/endpoint/"), body)
        else:
            self._change_repository(path, body)

    def _change_endpoint(self, path: str, body: bytes) -> None:
        if self.hub.refusal:
            return self._json({"error": self.hub.refusal[1]}, status=self.hub.refusal[0])
        described = json.loads(body) if body else {}
        name = path.removesuffix("/resume") if "/" in path else f"{path}/{described['name']}"
        if self.command == "POST" and body and name in self.hub.endpoints:
            return self._json({"error": "the name is taken"}, status=409)
        before = self.hub.endpoints.get(name, {})
        self.hub.endpoints[name] = before | described | {"model": before.get("model", {})}
        self.hub.endpoints[name]["model"] |= described.get("model", {})
        self._json(self.hub.described(name))

    def _change_repository(self, path: str, body: bytes) -> None:
        if path == "/api/repos/create":
            said = json.loads(body)
            name = f"{said['organization']}/{said['name']}"
            self.hub.repositories.setdefault(name, {".gitattributes": b"*"})
            self._json({"url": f"{self.hub.url}/{name}"})
        elif path == "/api/validate-yaml":
            self._json({"warnings": [], "errors": []})
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            mode = {"uploadMode": "regular", "shouldIgnore": False}
            self._json({"files": [{"path": file["path"], **mode} for file in files]})
        else:
            self._commit(path, [json.loads(line) for line in body.splitlines()])

    def _commit(self, path: str, lines: list[Json]) -> None:
        name = re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path)
        assert name is not None, path
        files = self.hub.repositories[name[1]]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        self._json({"commitUrl": f"{self.hub.url}/{name[1]}/commit/{'1' * 40}", "commitOid": "1" * 40})

    def _json(self, value: Json, known: bool = True, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status if known else 404)
        self._headers({"Content-Type": "application/json", "Content-Length": str(len(content))})
        self.wfile.write(content)
