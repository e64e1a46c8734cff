"""A proxy that misbehaves, between the gateway and one stage."""

import http.client
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from triptych.wire import MEDIA_TYPE, Tensors, pack, unpack

POLL_SECONDS = 0.05
GARBAGE_BYTES = 4096
HOP_BY_HOP = {"host", "connection", "keep-alive", "transfer-encoding", "content-length"}


class Fault(Enum):
    """What becomes of a POST; everything else goes through."""

    NONE = "nothing"
    SLOW = "each answer comes late"
    SILENT = "no answer comes"
    GARBAGE = "the answer is random bytes that claim to be tensors"
    PAGE = "the answer is a web page"
    NOISE = "the answer is not even HTTP"
    SHAPE = "the answer's tensors are of another shape"
    CUT = "the connection is cut in the middle of the answer"
    RESET = "the connection is reset before the answer"


class Proxy:
    """Hands on what comes to `upstream`, as the fault has it; answers that are SLOW take `delay` seconds."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.fault = Fault.NONE
        self.delay = 2.0
        self.url = ""
        self.mended = threading.Event()

    def mend(self) -> None:
        self.fault = Fault.NONE
        self.mended.set()


class Between(BaseHTTPRequestHandler):
    """One connection of the gateway's."""

    proxy: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._hand_on(Fault.NONE)

    def do_DELETE(self) -> None:
        self._hand_on(Fault.NONE)

    def do_POST(self) -> None:
        fault = self.proxy.fault
        if fault is Fault.SLOW:
            time.sleep(self.proxy.delay)
        elif fault is Fault.SILENT:
            self.proxy.mended.wait(60)
            self.close_connection = True
            return
        self._hand_on(fault)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output quiet."""

    def _hand_on(self, fault: Fault) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        if fault is Fault.SHAPE:
            headers["Accept"] = MEDIA_TYPE
        server = http.client.HTTPConnection(self.proxy.upstream.hostname or "", self.proxy.upstream.port)
        try:
            server.request(self.command, self.path, body or None, headers)
            answer = server.getresponse()
            self._answer(fault, answer)
        except (OSError, http.client.HTTPException):
            self._reset()
        finally:
            server.close()

    def _answer(self, fault: Fault, answer: http.client.HTTPResponse) -> None:
        kind = answer.headers.get("Content-Type", "")
        match fault:
            case Fault.GARBAGE:
                self._whole(200, MEDIA_TYPE, random.Random(1).randbytes(GARBAGE_BYTES))
            case Fault.PAGE:
                self._whole(200, "text/html", b"<!doctype html><title>Welcome to nginx!</title>")
            case Fault.NOISE:
                self.wfile.write(b"\x00\xff no protocol \r\n" * 4)
                self.close_connection = True
            case Fault.RESET:
                self._reset()
            case Fault.SHAPE:
                self._whole(answer.status, kind, _narrowed(answer.read()))
            case Fault.CUT:
                said = answer.read()
                self._head(answer.status, kind, str(len(said)))
                self.wfile.write(said[: len(said) // 2])
                self._reset()
            case _:
                self._stream(answer, kind)

    def _stream(self, answer: http.client.HTTPResponse, kind: str) -> None:
        """As it comes; the end of the connection is the end of the answer where its length is not said."""
        length = answer.headers.get("Content-Length")
        more = {name: value for name, value in answer.getheaders() if name.lower() in PASSED}
        self._head(answer.status, kind, length, more)
        while chunk := answer.read1(65536):
            self.wfile.write(chunk)

    def _whole(self, status: int, kind: str, body: bytes) -> None:
        self._head(status, kind, str(len(body)))
        self.wfile.write(body)

    def _head(self, status: int, kind: str, length: str | None, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        if length is None:
            self.close_connection = True
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", length)
        self.end_headers()

    def _reset(self) -> None:
        """Not closed: reset, with what was not yet sent."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


PASSED = {"server-timing", "x-queue-size", "retry-after"}


def _narrowed(body: bytes) -> bytes:
    """The tensors without the last of their second axis."""
    tensors, metadata = unpack("the answer", body)
    return pack(Tensors({name: tensor[:, :-1] for name, tensor in tensors.items()}), metadata)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The gateway may leave at any time."""


@contextmanager
def misbehaving(upstream: str) -> Iterator[Proxy]:
    """A proxy before this address, until the end of the block."""
    proxy = Proxy(upstream)
    server = Server(("127.0.0.1", 0), type("Handler", (Between,), {"proxy": proxy}))
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
    thread.start()
    try:
        yield proxy
    finally:
        proxy.mend()
        server.shutdown()
        thread.join()
        server.server_close()
