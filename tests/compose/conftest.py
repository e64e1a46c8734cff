"""The stack in containers, started by `make up` from images built anew, beside whatever else runs here."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.running import ROOT, free_port

READY_SECONDS = 240
PROJECT = f"triptych-test-{os.getpid()}"
SERVICES = ("text-encoder", "diffusion", "inpainting", "decoder", "gateway")


class Stack:
    """A compose project of its own: its name, its images' tag and its port are no other stack's."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ},
            "COMPOSE_PROJECT_NAME": PROJECT,
            "TRIPTYCH_TAG": "test",
            "MODE": "compose",
            "GATEWAY_PUBLISH": f"127.0.0.1:{self.port}",
        }

    def run(self, *command: str, **environment: str) -> str:
        """What a command prints at the repository's root; it must succeed."""
        ended = subprocess.run(
            command, cwd=ROOT, env={**self.environment, **environment}, capture_output=True, text=True
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def compose(self, *arguments: str, overlays: tuple[str, ...] = (), **environment: str) -> str:
        files = [part for overlay in overlays for part in ("-f", f"compose/{overlay}.yaml")]
        return self.run("docker", "compose", "-f", "compose.yaml", *files, *arguments, **environment)

    def inside(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the service's container."""
        return subprocess.run(
            ["docker", "compose", "exec", "-T", service, *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
        )

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of the service's container, running or not."""
        container = self.compose("ps", "--all", "--quiet", service).strip()
        described: dict[str, Any] = json.loads(self.run("docker", "inspect", container))[0]
        return described

    def services(self) -> set[str]:
        """The services that run."""
        return set(self.compose("ps", "--services", "--status", "running").split())

    def wait_ready(self) -> float:
        """Return once the gateway says that every stage is ready: the seconds that it took."""
        began = time.monotonic()
        while (passed := time.monotonic() - began) < READY_SECONDS:
            try:
                if requests.get(f"{self.url}/ready", timeout=10).status_code == 200:
                    return passed
            except requests.ConnectionError:
                pass
            time.sleep(0.3)
        raise AssertionError(f"not ready after {READY_SECONDS} s\n{self.compose('logs', '--tail', '20')}")

    def picture(self, **request: Any) -> dict[str, Any]:
        """The gateway's JSON answer to a prompt."""
        answer = requests.post(
            f"{self.url}/v1/txt2img",
            json={"prompt": "a red apple", "seed": 1, **request},
            headers={"Accept": "application/json"},
            timeout=120,
        )
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


def tell(what: str, seconds: float) -> None:
    """Show a measured time; `make test-compose` does not capture output."""
    print(f"\n  {what}: {seconds:.1f} s")


@pytest.fixture(scope="session")
def built() -> Iterator[Stack]:
    """The images, built with no layer of an earlier build."""
    stack = Stack()
    began = time.monotonic()
    stack.compose("build", "--no-cache", "--quiet")
    tell("images built anew", time.monotonic() - began)
    for name in ("triptych-stage:test", "triptych-gateway:test"):
        size = stack.run("docker", "image", "inspect", "--format", "{{.Size}}", name)
        print(f"  {name}: {int(size) / 1e6:.0f} MB")
    yield stack
    stack.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--rmi", "all")


@pytest.fixture(scope="session")
def started(built: Stack) -> Stack:
    began = time.monotonic()
    shown = built.run("make", "up")
    tell("make up with images built, until ready", time.monotonic() - began)
    assert built.url in shown
    return built


@pytest.fixture
def stack(started: Stack) -> Stack:
    """The four stages and the gateway, ready."""
    if started.services() != set(SERVICES):
        started.compose("up", "--detach", "--remove-orphans")
    started.wait_ready()
    return started
