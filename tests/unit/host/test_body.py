import socket

import pytest

from host.body import MAX_VALUES, parse_object
from triptych.wire import InvalidField

from .conftest import Serve


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=UTF-8",
        "application/json; charset=utf-8",
        "Application/JSON;charset=utf8",
        "",
        None,
    ],
)
def test_every_spelling_of_json_is_taken(serve: Serve, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = serve().post("/", content='{"inputs": "é"}'.encode(), headers=headers)
    assert answer.json() == "é"


def test_another_type_is_415_and_says_which_is_taken(serve: Serve) -> None:
    answer = serve().post("/", content=b"\x89PNG", headers={"Content-Type": "image/png"})
    assert answer.status_code == 415
    assert answer.json() == {"error": "Content-Type must be application/json; got image/png"}


@pytest.mark.parametrize(
    ("body", "got"),
    [
        (b"", "Expecting value"),
        (b'{"inputs": ', "Expecting value"),
        (b'{"inputs": NaN}', "NaN is not JSON"),
        (b'{"inputs": -Infinity}', "-Infinity is not JSON"),
        (b'{"inputs": 1e999}', "1e999 is too large a number"),
        (b'{"inputs": ' + b"9" * 5000 + b"}", "5000 digits"),
        (b'{"inputs": "\xff"}', "'utf-8' codec can't decode"),
        (b"[1, 2]", "a list of 2 items"),
        (b'"text"', "a string of 4 characters"),
        (b"null", "nothing"),
        (b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep"),
        (b'{"inputs": [' + b"0," * MAX_VALUES + b"0]}", "more commas"),
    ],
)
def test_a_body_that_is_no_json_object_is_422_and_says_what_came(serve: Serve, body: bytes, got: str) -> None:
    client = serve()
    answer = client.post("/", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("body must be a JSON object")
    assert got in answer.json()["error"]
    assert client.post("/", json={"inputs": "next"}).json() == "next"


def test_an_object_without_inputs_is_422(serve: Serve) -> None:
    answer = serve().post("/", json={"input": "x"})
    assert answer.status_code == 422
    assert answer.json() == {"error": "inputs must be given; got nothing"}


def test_a_lone_surrogate_in_a_sentence_does_not_break_the_answer(serve: Serve) -> None:
    assert serve().post("/", content=rb'{"inputs": "\ud800"}').text == r'"\ud800"'


def test_a_large_body_is_413_before_it_is_kept(serve: Serve) -> None:
    client = serve(max_body_bytes=1000)
    answer = client.post("/", content=b'{"inputs": "' + b"x" * 20_000_000 + b'"}')
    assert answer.status_code == 413
    assert answer.json() == {"error": "the body must be at most 1000 bytes; got more"}
    assert client.post("/", json={"inputs": "next"}).json() == "next"


def test_a_large_body_without_a_length_is_413(serve: Serve) -> None:
    client = serve(max_body_bytes=1000)
    answer = client.post("/", content=(b"x" * 600 for _ in range(10)))
    assert answer.status_code == 413


def test_a_body_that_does_not_arrive_is_408(serve: Serve) -> None:
    client = serve(body_timeout=0.2)
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=10) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{")
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")


def test_an_object_is_returned_as_it_came() -> None:
    assert parse_object(b'{"inputs": [1, 2.5, null, true, "\xc3\xa9"]}') == {
        "inputs": [1, 2.5, None, True, "é"]
    }


def test_as_many_values_as_are_allowed_are_parsed() -> None:
    body = b'{"inputs": [' + b"0," * MAX_VALUES + b"0]}"
    assert len(parse_object(body.replace(b"0,", b"", 1))["inputs"]) == MAX_VALUES
    with pytest.raises(InvalidField):
        parse_object(body)
