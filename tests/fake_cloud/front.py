"""The platform's proxy before a fake endpoint: token, state, holding, and patience."""

import http.client
import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .endpoint import FakeEndpoint

HOP_BY_HOP = {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
CODES = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 502: "BAD_GATEWAY", 503: "SERVICE_UNAVAILABLE"}
PAUSED = "Bad Request: The endpoint is paused, ask a maintainer to restart it"
LATE = b"upstream request timeout"


class Front(BaseHTTPRequestHandler):
    """Answers for an endpoint that does not run, and hands everything else on to its server."""

    endpoint: "FakeEndpoint"
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output quiet."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {self.endpoint.token}":
            return self._refuse(401, "401 Unauthorized")
        hold = float(self.headers.get("X-Scale-Up-Timeout", 0))
        state = self.endpoint.asked(hold)
        if state == "paused":
            return self._refuse(400, PAUSED)
        if state != "running":
            status = self.endpoint.cold_status
            return self._refuse(status, f"{status} {http.client.responses[status]}")
        self._hand_on(body)

    def _hand_on(self, body: bytes) -> None:
        server = http.client.HTTPConnection("127.0.0.1", self.endpoint.port, self.endpoint.cut_seconds)
        try:
            server.request(self.command, self.path, body or None, _passed(self.headers.items()))
            answer = server.getresponse()
            self._send(answer.status, answer.read(), _passed(answer.getheaders()))
        except TimeoutError:
            self._cut()
        except ConnectionError:
            self._refuse(502, "502 Bad Gateway")
        finally:
            server.close()

    def _cut(self) -> None:
        if self.endpoint.cut_status is None:
            self.endpoint.note(self.command, self.path, dict(self.headers), 0)
            self.close_connection = True
        else:
            self._send(self.endpoint.cut_status, LATE, {"Content-Type": "text/plain"})

    def _refuse(self, status: int, error: str) -> None:
        body = json.dumps({"error": error, "code": CODES[status]}, separators=(",", ":")).encode()
        self._send(status, body, {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.endpoint.note(self.command, self.path, dict(self.headers), status)
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _passed(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in HOP_BY_HOP}
