"""Who wants to know of a job's end is told, by a real server that takes it."""

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from tenacity import wait_fixed

from gateway.errors import InvalidRequest
from gateway.jobs import webhooks as module
from gateway.jobs.record import Record, Webhook
from gateway.jobs.webhooks import Webhooks, check_webhook
from tests.unit.gateway.fakes import serving

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@dataclass
class Receiver:
    """Answers these statuses in turn, and then 200. Keeps what came."""

    statuses: list[int] = field(default_factory=list)
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: Request) -> Response:
        self.came.append((dict(request.headers), await request.body()))
        status = self.statuses.pop(0) if self.statuses else 200
        return (
            RedirectResponse("/elsewhere", status) if status in (302, 307) else Response(status_code=status)
        )


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(module, "BACKOFF", wait_fixed(0.01))
    one = Receiver()
    routes = [Route(path, one.take, methods=["GET", "POST"]) for path in ("/", "/elsewhere")]
    with serving(Starlette(routes=routes)) as one.url:
        yield one


def deliver(url: str, **more: Any) -> str:
    values = {"state": "done", "ended": 1_700_000_000.5, **more}
    record = Record("abc", "txt2img", "", "{}", True, None, "", Webhook(url, SECRET), 1.0, **values)

    async def send() -> str:
        webhooks = Webhooks()
        try:
            return await webhooks.deliver(record)
        finally:
            await webhooks.close()

    return asyncio.run(send())


def test_the_message_is_signed_as_the_specification_says(receiver: Receiver) -> None:
    assert deliver(receiver.url) == "delivered"
    ((headers, body),) = receiver.came
    message = Verifier(SECRET).verify(body, headers)
    assert headers["webhook-id"] == "msg_abc"
    assert headers["content-type"] == "application/json"
    assert message == {
        "type": "job.done",
        "timestamp": "2023-11-14T22:13:20.500000+00:00",
        "data": {"id": "abc", "kind": "txt2img", "state": "done", "error": None},
    }


def test_a_job_that_failed_says_why(receiver: Receiver) -> None:
    error = {"type": "StageFailed", "message": "It broke."}
    deliver(receiver.url, state="failed", error=json.dumps({"error": error, "status": 502}))
    message = json.loads(receiver.came[0][1])
    assert (message["type"], message["data"]["error"]) == ("job.failed", error)


def test_a_receiver_that_fails_is_told_again_the_same(receiver: Receiver) -> None:
    receiver.statuses = [500, 429, 404]
    assert deliver(receiver.url) == "delivered"
    assert len(receiver.came) == 4
    assert len({(headers["webhook-id"], body) for headers, body in receiver.came}) == 1
    for headers, body in receiver.came:
        Verifier(SECRET).verify(body, headers)


def test_it_is_given_up_after_a_few_times(receiver: Receiver) -> None:
    receiver.statuses = [500] * 20
    assert deliver(receiver.url) == "failed"
    assert len(receiver.came) == module.ATTEMPTS


def test_nobody_there_is_a_failure(receiver: Receiver) -> None:
    assert deliver("http://127.0.0.1:9/") == "failed"


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.statuses = [307] * 20
    assert deliver(receiver.url) == "failed"
    assert len(receiver.came) == module.ATTEMPTS


def test_a_receiver_that_is_gone_is_not_told_again(receiver: Receiver) -> None:
    receiver.statuses = [410]
    assert deliver(receiver.url) == "failed"
    assert len(receiver.came) == 1


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://hooks.example/a?b=c", {"hooks.example"}),
        ("https://HOOKS.example:443/", {"hooks.example"}),
        ("https://hooks.example/", {"hooks.example:443"}),
        ("http://127.0.0.1:9000/", {"a", "127.0.0.1:9000"}),
        ("http://[::1]:9000/", {"[::1]:9000"}),
    ],
)
def test_a_host_that_is_named_is_told(url: str, hosts: set[str]) -> None:
    assert check_webhook(url, SECRET, hosts) == Webhook(url, SECRET)


@pytest.mark.parametrize(
    ("url", "hosts", "said"),
    [
        ("https://hooks.example/", set[str](), "there are none; got hooks.example:443"),
        ("https://evil.example/", {"hooks.example"}, "those are hooks.example; got evil.example:443"),
        ("https://hooks.example.evil.example/", {"hooks.example"}, "got hooks.example.evil.example:443"),
        ("https://hooks.example:8443/", {"hooks.example"}, "got hooks.example:8443"),
        ("http://hooks.example:443/", {"hooks.example"}, "got hooks.example:443"),
        ("https://hooks.example@evil.example/", {"hooks.example"}, "URL without user name"),
        ("https://evil.example\\@hooks.example/", {"hooks.example"}, "URL without user name"),
        ("ftp://hooks.example/", {"hooks.example"}, "http or https URL"),
        ("https://hooks.example:99999/", {"hooks.example"}, "http or https URL"),
        ("https:///a", {"hooks.example"}, "http or https URL"),
        ("https://hooks.example/" + "a" * 2000, {"hooks.example"}, "http or https URL"),
        ("nonsense", {"hooks.example"}, "http or https URL"),
    ],
)
def test_any_other_address_is_refused(url: str, hosts: set[str], said: str) -> None:
    with pytest.raises(InvalidRequest, match=r"webhook.url must be") as refused:
        check_webhook(url, SECRET, hosts)
    assert said in refused.value.message
    assert refused.value.field == "webhook"


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_???", SECRET[6:], "whsec_c2hvcnQ=", "whsec_" + "A" * 100]
)
def test_a_secret_is_as_the_specification_has_it(secret: str) -> None:
    with pytest.raises(InvalidRequest, match=r"webhook.secret must be whsec_ and base64 of 24 to 64 bytes"):
        check_webhook("https://a/", secret, {"a"})
