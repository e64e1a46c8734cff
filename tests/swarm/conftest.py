"""The stack on a swarm of three nodes, put there by `make swarm-up`."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.running import ROOT

from .jobs_image import build_jobs_image
from .nodes import Node, running_swarm, sh

TAG = "swarm-test"
JOBS_IMAGE = f"triptych-jobs:{TAG}"
IMAGES = [f"triptych-stage:{TAG}", f"triptych-gateway:{TAG}", JOBS_IMAGE]
READY_SECONDS = 600
CLIENTS = 3
TOKEN = "hf_of_the_swarm"


class Swarm:
    """The nodes, and the stack on them."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.manager = nodes[0]
        self.url, self.other_url = (f"http://{node.address}:8000" for node in (nodes[0], nodes[2]))

    def up(self, **environment: str) -> str:
        """`make swarm-up` with what all of these tests have in common, and this."""
        common = {
            "DOCKER_HOST": self.manager.socket,
            "TRIPTYCH_TAG": TAG,
            "OVERLAYS": "one-unet swarm-secrets shared-jobs swarm-shared-jobs",
            "JOBS_IMAGE": JOBS_IMAGE,
            "GATEWAY_REPLICAS": "2",
            "GATEWAY_NODES": f"node.hostname!={self.nodes[1].name}",
            "DIFFUSION_REPLICAS": "3",
            "TEXT_ENCODER_REPLICAS": "2",
            "DECODER_REPLICAS": "2",
        }
        return sh("make", "-C", ROOT, "swarm-up", GATEWAY_KEYS="none", **common, **environment)

    def replicas(self) -> dict[str, str]:
        """How many of each service there are, of how many."""
        lines = self.manager.docker("service", "ls", "--format", "{{.Name}} {{.Replicas}}").splitlines()
        return {name.removeprefix("triptych_"): count for name, count, *_ in map(str.split, lines)}

    def where(self, service: str) -> list[str]:
        """The nodes that its running tasks are on."""
        asked = ("--filter", "desired-state=running", "--format", "{{.Node}} {{.CurrentState}}")
        lines = self.manager.docker("service", "ps", f"triptych_{service}", *asked).splitlines()
        return sorted(line.split()[0] for line in lines if line.split()[1] == "Running")

    def stages(self) -> dict[str, list[dict[str, Any]]]:
        """The places of each stage, as the gateway knows them."""
        details = requests.get(f"{self.url}/v1/stages", timeout=30).json()
        return {stage["stage"]: stage["replicas"] for stage in details}

    def wait(self, what: str, condition: Any, seconds: float = READY_SECONDS) -> None:
        """Until the condition holds; tells how long it took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            try:
                if condition():
                    print(f"\n  {what}: {time.monotonic() - began:.0f} s")
                    return
            except requests.RequestException:
                pass
            time.sleep(1)
        raise AssertionError(
            f"not within {seconds} s: {what}\n{self.manager.docker('stack', 'ps', 'triptych')}"
        )

    def is_ready(self) -> bool:
        """At both gateways."""
        urls = (self.url, self.other_url)
        return all(requests.get(f"{url}/ready", timeout=10).status_code == 200 for url in urls)

    def picture(self, seed: int) -> requests.Response:
        request = {"prompt": "a red apple", "seed": seed}
        headers = {"Accept": "application/json"}
        return requests.post(f"{self.url}/v1/txt2img", json=request, headers=headers, timeout=180)

    def hand_in(self, url: str, seed: int) -> str:
        """A job, at this gateway; its id."""
        order = {"kind": "txt2img", "request": {"prompt": "a blue ball", "seed": seed}}
        response = requests.post(f"{url}/v1/jobs", json=order, timeout=30)
        assert response.status_code == 202, response.text
        return str(response.json()["id"])

    def result(self, url: str, job: str) -> bytes | None:
        """The job's picture from this gateway, once it is done."""
        state = requests.get(f"{url}/v1/jobs/{job}", timeout=30).json()
        assert state["state"] in ("queued", "running", "done"), state
        if state["state"] != "done":
            return None
        response = requests.get(f"{url}/v1/jobs/{job}/result", headers={"Accept": "image/png"}, timeout=30)
        assert response.status_code == 200, response.text
        return response.content


class Load:
    """Clients that ask without pause, from the block's begin to its end."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]
        self.answers: list[requests.Response] = []
        self.errors: list[Exception] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, client: int) -> None:
        seed = 1_000_000 * client
        while not self._over.is_set():
            seed += 1
            try:
                self.answers.append(self._patiently(seed))
            except Exception as error:
                self.errors.append(error)

    def _patiently(self, seed: int) -> requests.Response:
        """Comes again when it is told to, as while jobs have the places."""
        while (answer := self._swarm.picture(seed)).status_code == 429:
            time.sleep(int(answer.headers["Retry-After"]))
        return answer

    def check(self) -> None:
        """Every picture came."""
        failed = [answer.text for answer in self.answers if answer.status_code != 200]
        print(f"\n  {len(self.answers)} pictures asked for, {len(failed) + len(self.errors)} not given")
        assert self.answers
        assert not failed and not self.errors, (failed[:3], self.errors[:3])


@pytest.fixture(scope="session")
def swarm() -> Iterator[Swarm]:
    """Three nodes with the stack on them, ready."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("dockerd", "ip", "nsenter", "unshare"))):
        pytest.skip("needs root, dockerd and iproute2: it starts engines in networks of their own")
    build = ["docker", "compose", "-f", "compose.yaml", "build", "--quiet"]
    subprocess.run(build, cwd=ROOT, env={**os.environ, "TRIPTYCH_TAG": TAG}, check=True)
    build_jobs_image(JOBS_IMAGE)
    folder = Path(tempfile.mkdtemp(prefix="swarm-"))  # short: a socket's path may have 108 characters
    with running_swarm(3, IMAGES, folder) as nodes:
        swarm = Swarm(nodes)
        sh("sh", "-c", f"printf %s {TOKEN} | docker --host {nodes[0].socket} secret create hf_token -")
        swarm.up()
        swarm.wait("until every stage is ready", swarm.is_ready)
        swarm.wait("until every replica is", lambda: all_there(swarm.replicas()))
        yield swarm


def all_there(replicas: dict[str, str]) -> bool:
    """What a lost node had counts as well, as a swarm cannot know that it has ended."""
    counts = [count.split("/") for count in replicas.values()]
    return all(int(there) >= int(wanted) for there, wanted in counts)
