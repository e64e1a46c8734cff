"""Jobs through real gateways and stages: watched, cancelled, and done whatever becomes of the gateway."""

import base64
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import requests
from httpx_sse import EventSource, ServerSentEvent, connect_sse
from PIL import Image
from standardwebhooks.webhooks import Webhook

from tests.conftest import StageUrl
from tests.e2e.pictures import data_of, opened, picture
from tests.mortal import Mortal, until
from tests.running import ROOT
from tests.tiny import PICTURE
from training.concepts import COLOURS

STAGES = ("text_encoder", "diffusion", "inpainting", "decoder")
SECRET = "whsec_" + base64.b64encode(b"a key of thirty-two bytes exactly").decode()
END_SECONDS = 120
LONG: dict[str, Any] = {"prompt": "a red apple on a blue background", "steps": 80, "seed": 5}


class Gateway(Mortal):
    """A gateway that the test kills and starts again, with the same jobs."""

    def __init__(self, folder: Path, **environment: str) -> None:
        own = {"GATEWAY_PORT": "{port}", "JOBS_DIR": str(folder / "jobs")}
        super().__init__("gateway", folder / "gateway.log", **own, **environment)

    def hand_in(self, kind: str = "txt2img", key: str = "", **more: Any) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        webhook = more.pop("webhook", None)
        body = {"kind": kind, "request": more, "webhook": webhook}
        response = requests.post(f"{self.url}/v1/jobs", json=body, headers=headers, timeout=10)
        assert response.status_code in (200, 202), response.text
        job: dict[str, Any] = response.json()
        return job

    def look(self, job: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(job["links"]["job"]).json()
        return found

    def ask(self, path: str, **headers: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", headers=headers, timeout=30)

    def ended(self, job: dict[str, Any]) -> dict[str, Any]:
        until(lambda: self.look(job)["state"] not in ("queued", "running"), END_SECONDS)
        return self.look(job)

    def picture(self, job: dict[str, Any]) -> Image.Image:
        assert self.ended(job)["state"] == "done", self.look(job)
        result = self.ask(job["links"]["result"])
        assert result.status_code == 200, result.text
        return opened(result.json()["images"][0]["data"])


@pytest.fixture(scope="module")
def stages(stage_url: StageUrl) -> dict[str, str]:
    return {f"{stage.upper()}_URL": stage_url(stage) for stage in STAGES}


@contextmanager
def started(folder: Path, stages: dict[str, str], **environment: str) -> Iterator[Gateway]:
    gateway = Gateway(folder, **{**stages, "MAX_CONCURRENT_REQUESTS": "1", **environment})
    try:
        gateway.start()
        gateway.wait()
        yield gateway
    finally:
        gateway.close()


@pytest.fixture
def gateway(stages: dict[str, str], tmp_path: Path) -> Iterator[Gateway]:
    with started(tmp_path, stages) as one:
        yield one


def same(first: Image.Image, second: Image.Image) -> bool:
    return np.array_equal(np.asarray(first), np.asarray(second))


def inpainting(seed: int) -> dict[str, Any]:
    """What is to be in the left half of a yellow picture."""
    image, mask = Image.new("RGB", PICTURE, COLOURS["yellow"]), Image.new("L", PICTURE)
    mask.paste(255, (16, 16, 80, 112))
    return {"prompt": "a red apple", "image": data_of(image), "mask": data_of(mask), "seed": seed}


def events(gateway: Gateway, job: dict[str, Any], last: str = "") -> Iterator[ServerSentEvent]:
    headers = {"Last-Event-ID": last} if last else {}
    with (
        httpx.Client(base_url=gateway.url, timeout=60) as client,
        connect_sse(client, "GET", job["links"]["events"], headers=headers) as source,
    ):
        yield from read(source)


def read(source: EventSource) -> Iterator[ServerSentEvent]:
    assert source.response.status_code == 200
    yield from source.iter_sse()


def test_a_job_becomes_the_picture_that_its_route_makes(gateway: Gateway, gateway_url: str) -> None:
    asked: dict[str, Any] = {"prompt": "a cat on a green background", "seed": 7}
    job = gateway.hand_in(**asked)
    assert job["state"] in ("queued", "running")
    assert same(gateway.picture(job), picture(gateway_url, **asked))
    file = gateway.ask(job["links"]["result"], Accept="image/png")
    assert file.headers["content-type"] == "image/png"
    assert file.headers["x-triptych-seed"] == "7"


def test_a_bad_body_is_refused_with_the_routes_own_sentence(gateway: Gateway) -> None:
    bad = {"prompt": "a cat", "steps": "many"}
    at_once = requests.post(f"{gateway.url}/v1/txt2img", json=bad, timeout=10)
    as_job = requests.post(f"{gateway.url}/v1/jobs", json={"kind": "txt2img", "request": bad}, timeout=10)
    assert at_once.status_code == as_job.status_code == 422
    assert at_once.json()["error"]["message"] == as_job.json()["error"]["message"]


def test_events_are_resumed_where_they_were_read(gateway: Gateway) -> None:
    job = gateway.hand_in(**LONG, preview_every=10)
    first = next(event for event in events(gateway, job) if event.json().get("step", 0) >= 20)
    rest = list(events(gateway, job, first.id))
    steps = [event.json() for event in rest if event.event == "progress"]
    assert min(told["step"] for told in steps if told["stage"] == "diffusion") >= 20
    assert {"progress", "preview"} <= {event.event for event in rest[:-1]}
    assert all(int(event.id) > int(first.id) for event in rest[:-1])
    assert (rest[-1].event, rest[-1].id) == ("result", "end")
    assert opened(rest[-1].json()["images"][0]["data"]).size == PICTURE


def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(gateway: Gateway) -> None:
    running, waiting = gateway.hand_in(**{**LONG, "steps": 250}), gateway.hand_in(**LONG)
    until(lambda: gateway.look(running)["step"] >= 3, 30)
    assert gateway.look(waiting)["position"] == 1
    for job in (waiting, running):
        cancelled = requests.delete(f"{gateway.url}{job['links']['job']}", timeout=30)
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert gateway.ended(gateway.hand_in(prompt="a dog", steps=3))["state"] == "done"


def test_the_lines_of_the_readme_work(gateway: Gateway, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split("### Jobs")[1].split("\n## ")[0]
    (lines,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    script = lines.replace("http://127.0.0.1:8000", gateway.url)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert '"state":' in ran.stdout and "event: result" in ran.stdout
    with Image.open(tmp_path / "cat.png") as made:
        assert made.size == PICTURE
    assert gateway.ask("/v1/jobs").json() == {"jobs": []}


def test_one_key_is_one_job(gateway: Gateway) -> None:
    first = gateway.hand_in(key="mine", prompt="a dog", steps=3)
    assert gateway.hand_in(key="mine", prompt="a dog", steps=3)["id"] == first["id"]
    body = {"kind": "txt2img", "request": {"prompt": "a cat", "steps": 3}}
    other = requests.post(
        f"{gateway.url}/v1/jobs", json=body, headers={"Idempotency-Key": "mine"}, timeout=10
    )
    assert other.status_code == 422
    assert len(gateway.ask("/v1/jobs").json()["jobs"]) == 1


def test_no_job_is_lost_and_no_picture_differs_when_the_gateway_is_killed(
    gateway: Gateway, gateway_url: str
) -> None:
    done = gateway.hand_in(prompt="a cat on a white background", seed=3)
    before = gateway.picture(done)
    running = gateway.hand_in(**LONG, num_images=3)
    until(lambda: gateway.look(running)["step"] >= 12, 60)
    painting = gateway.hand_in("inpaint", **inpainting(9))
    drawn = gateway.hand_in(key="drawn", prompt="a dog on a pink background")
    assert gateway.look(running)["state"] == "running"
    gateway.kill()
    gateway.start()
    gateway.wait()
    assert gateway.look(done)["state"] == "done"
    assert same(gateway.picture(done), before)
    assert same(gateway.picture(running), picture(gateway_url, **LONG))
    painted = requests.post(f"{gateway_url}/v1/inpaint", json=inpainting(9), timeout=120).json()
    assert same(gateway.picture(painting), opened(painted["images"][0]["data"]))
    seed = drawn["request"]["seed"]
    assert same(gateway.picture(drawn), picture(gateway_url, prompt="a dog on a pink background", seed=seed))
    assert gateway.hand_in(key="drawn", prompt="a dog on a pink background")["id"] == drawn["id"]
    (call,) = [
        call
        for call in gateway.ask(running["links"]["result"]).json()["stages"]
        if call["stage"] == "diffusion"
    ]
    assert call["resumed_at"] and call["resumed_at"][0] >= 10


def test_what_a_client_lost_is_found_again(gateway: Gateway, gateway_url: str) -> None:
    asked = {**LONG, "on_disconnect": "keep"}
    with (
        httpx.Client(base_url=gateway.url, timeout=60) as client,
        connect_sse(client, "POST", "/v1/txt2img", json=asked) as source,
    ):
        assert next(read(source)).event
        job = gateway.ask(f"/v1/jobs/{source.response.headers['x-triptych-job']}").json()
    assert job["state"] == "running"
    assert same(gateway.picture(job), picture(gateway_url, **LONG))


@contextmanager
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A server that takes webhooks, after it has failed once."""
    came: list[tuple[dict[str, str], bytes]] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((dict(self.headers.items()), body))
            self.send_response(503 if len(came) == 1 else 204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_is_signed_and_sent_until_it_is_taken(stages: dict[str, str], tmp_path: Path) -> None:
    with receiver() as (host, came), started(tmp_path, stages, WEBHOOK_HOSTS=host) as gateway:
        webhook = {"url": f"http://{host}/done", "secret": SECRET}
        job = gateway.hand_in(prompt="a dog", steps=3, webhook=webhook)
        until(lambda: gateway.look(job)["webhook"] == "delivered", 30)
    assert len(came) == 2
    for headers, body in came:
        message = Webhook(SECRET).verify(body, headers)
    assert (message["type"], message["data"]["id"]) == ("job.done", job["id"])


def test_results_stay_within_their_room_on_the_disk(stages: dict[str, str], tmp_path: Path) -> None:
    limit = 2**20
    with started(tmp_path, stages, JOBS_BYTES=str(limit)) as gateway:
        jobs = [gateway.hand_in(prompt="a dog", steps=2, num_images=16, seed=seed) for seed in range(6)]
        for job in jobs:
            until(lambda job=job: gateway.ask(job["links"]["job"]).json().get("state") in ("done", None), 60)  # type: ignore[misc]
        left = [job["id"] for job in gateway.ask("/v1/jobs").json()["jobs"]]
        used = sum(file.stat().st_size for file in (tmp_path / "jobs" / "jobs").rglob("*.*"))
    assert 0 < len(left) < len(jobs)
    assert left == [job["id"] for job in reversed(jobs)][: len(left)]
    assert used <= limit
    assert set(os.listdir(tmp_path / "jobs" / "jobs")) == set(left)
