"""How long a server waits, on sockets that behave as no client of good will does."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from triptych.patience import HEAD_BYTES, Patience, PatientProtocol

HEAD = 0.3
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
LARGE = b"x" * 30_000_000
"""More than the system keeps between the two."""

Connect = Callable[[], socket.socket]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without reading the request: at /large much, at /slow after four times the head's time."""
    if scope["path"] == "/slow":
        await asyncio.sleep(4 * HEAD)
    body = LARGE if scope["path"] == "/large" else b"ok"
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(patience: Patience) -> Iterator[int]:
    """The port of a server that is so patient."""
    given = patience

    class Protocol(PatientProtocol, H11Protocol):
        patience = given

    config = uvicorn.Config(
        app,
        port=0,
        http=Protocol,
        lifespan="off",
        h11_max_incomplete_event_size=HEAD_BYTES,
        log_config=None,
        timeout_keep_alive=60,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.force_exit = server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(Patience(HEAD, connections=3, reader_seconds=HEAD)) as port:
        yield port


@pytest.fixture
def connect(port: int) -> Iterator[Connect]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
    time.sleep(0.02)  # until the server has seen them go


def read_to_end(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    received = b""
    try:
        while data := connection.recv(1 << 20):
            received += data
    except ConnectionResetError:
        pass
    return received


def read_ok(connection: socket.socket) -> None:
    """The whole of a short answer."""
    received = b""
    while not received.endswith(b"ok"):
        data = connection.recv(1000)
        assert data, received
        received += data


def drip(connection: socket.socket, data: bytes) -> float:
    """The seconds until a server that gets this byte for byte will have no more of it."""
    began = time.monotonic()
    for byte in data:
        try:
            connection.sendall(bytes([byte]))
        except OSError:
            break
        time.sleep(HEAD / 10)
    return time.monotonic() - began


@pytest.mark.parametrize("sent", [b"", b"G", GET])
def test_a_head_that_does_not_end_is_not_waited_for(connect: Connect, sent: bytes) -> None:
    connection, began = connect(), time.monotonic()
    connection.sendall(sent)
    assert read_to_end(connection) == b""
    assert HEAD * 0.9 < time.monotonic() - began < 10 * HEAD


@pytest.mark.parametrize(
    "more", [b"X: " + b"x" * 40_000, b"\r\n".join(b"%d:" % i for i in range(6_000))], ids=["long", "many"]
)
def test_a_head_that_is_too_long_is_refused_though_it_comes_at_once(connect: Connect, more: bytes) -> None:
    connection = connect()
    connection.sendall(GET + more + b"\r\n\r\n")
    assert read_to_end(connection).startswith(b"HTTP/1.1 400 ")


def test_a_head_of_a_usual_length_and_a_long_body_are_taken(connect: Connect) -> None:
    connection = connect()
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\nContent-Length: 200000\r\n\r\n"
    connection.sendall(head + bytes(200_000) + GET + b"\r\n")
    read_ok(connection)


def test_a_head_byte_for_byte_gets_no_more_time(connect: Connect) -> None:
    assert drip(connect(), GET * 10) < 10 * HEAD


def test_the_second_request_of_a_connection_has_as_much_time_as_the_first(connect: Connect) -> None:
    connection = connect()
    for _ in range(2):
        connection.sendall(GET + b"\r\n")
        read_ok(connection)
    assert drip(connection, GET * 10) < 10 * HEAD


def test_a_body_that_nobody_reads_any_more_is_not_waited_for(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    read_ok(connection)
    assert drip(connection, b"x" * 1000) < 10 * HEAD


def test_a_request_that_takes_long_is_no_slow_one(connect: Connect) -> None:
    connection = connect()
    connection.sendall(GET.replace(b"/ ", b"/slow ") + b"\r\n")
    read_ok(connection)


def test_who_does_not_read_the_answer_is_left(connect: Connect) -> None:
    connection = connect()
    connection.sendall(GET.replace(b"/ ", b"/large ") + b"\r\n")
    time.sleep(4 * HEAD)
    assert len(read_to_end(connection)) < len(LARGE)


def test_who_reads_slowly_is_not(connect: Connect) -> None:
    connection = connect()
    connection.sendall(GET.replace(b"/ ", b"/large ") + b"\r\n")
    received = 0
    until = time.monotonic() + 3 * HEAD
    while time.monotonic() < until:
        received += len(connection.recv(1 << 20))
        time.sleep(HEAD / 10)
    while received < len(LARGE):
        received += len(connection.recv(1 << 20))


def test_one_connection_more_than_there_may_be_is_told_and_closed(connect: Connect) -> None:
    held = [connect() for _ in range(3)]
    for connection in held:
        connection.sendall(GET + b"\r\n")
        read_ok(connection)
    said = read_to_end(connect())
    assert said.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 1" in said and b"too many" in said
    held[0].sendall(GET + b"\r\n")
    read_ok(held[0])
