"""The gateway as a process."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from gateway.healthcheck import is_ready
from gateway.server import serving
from gateway.settings import Settings
from tests.running import ROOT, free_port, inherited_environment, running_gateway
from tests.unit.gateway.conftest import Fakes
from tests.unit.gateway.fakes import wait_until


def stage_variables(urls: dict[str, str]) -> dict[str, str]:
    return {f"{name.upper()}_URL": url for name, url in urls.items() if name != "all_in_one"}


def test_it_serves_with_the_settings_of_the_environment(
    fakes: Fakes, urls: dict[str, str], tmp_path: Path
) -> None:
    with running_gateway(tmp_path / "log", **stage_variables(urls)) as server:
        answer = httpx.post(f"{server.url}/v1/txt2img", json={"prompt": "a red apple"})
        assert answer.status_code == 200
        assert "server" not in answer.headers
        assert is_ready(httpx.URL(server.url).port or 0)
        fakes["decoder"].state = "loading"
        assert not is_ready(httpx.URL(server.url).port or 0)
    lines = (tmp_path / "log").read_text().splitlines()
    assert all(line.startswith('{"time": ') for line in lines)


def test_it_is_light(fakes: Fakes, urls: dict[str, str], tmp_path: Path) -> None:
    with running_gateway(tmp_path / "log", **stage_variables(urls)) as server:
        httpx.post(f"{server.url}/v1/txt2img", json={"prompt": "a red apple"})
        assert server.memory() < 150
    script = "import sys, gateway.app; print({'keras', 'tensorflow', 'torch'} & set(sys.modules))"
    loaded = subprocess.check_output(
        [sys.executable, "-c", script], cwd=ROOT, env=inherited_environment(), text=True
    )
    assert loaded.strip() == "set()"


def test_a_bad_environment_is_refused_with_a_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway"],
        cwd=ROOT,
        env={**inherited_environment(), "DECODER_URL": "decoder:8004", "STAGE_TIMEOUT": "soon"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "The gateway cannot start:"
    assert "DECODER_URL must be http(s)://host[:port][/path] or empty; got 'decoder:8004'." in done.stderr
    assert "STAGE_TIMEOUT" in done.stderr
    assert "Traceback" not in done.stderr


def start(urls: dict[str, str], log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A gateway process that the test stops itself."""
    port = free_port()
    environment = {**inherited_environment(), **stage_variables(urls), "GATEWAY_PORT": str(port)}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway"], cwd=ROOT, env=environment, stdout=output
        )
    wait_until(lambda: is_ready(port))
    return process, f"http://127.0.0.1:{port}"


def test_a_stop_lets_a_request_under_way_finish(fakes: Fakes, urls: dict[str, str], tmp_path: Path) -> None:
    process, url = start(urls, tmp_path / "log")
    fakes["diffusion"].delay = 1.5
    statuses: list[int] = []

    def request() -> None:
        statuses.append(httpx.post(f"{url}/v1/txt2img", json={"prompt": ""}, timeout=20).status_code)

    thread = threading.Thread(target=request)
    thread.start()
    wait_until(lambda: bool(fakes["diffusion"].requests))
    process.send_signal(signal.SIGTERM)
    thread.join()
    assert statuses == [200]
    process.wait(10)


def test_a_stop_takes_less_than_eight_seconds_whatever_is_under_way(
    fakes: Fakes, urls: dict[str, str], tmp_path: Path
) -> None:
    process, url = start(urls, tmp_path / "log")
    fakes["diffusion"].delay = 60

    answers: list[httpx.Response] = []

    def request() -> None:
        answers.append(httpx.post(f"{url}/v1/txt2img", json={"prompt": ""}, timeout=60))

    thread = threading.Thread(target=request)
    thread.start()
    wait_until(lambda: bool(fakes["diffusion"].requests))
    stopped = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    thread.join()
    assert time.monotonic() - stopped < 8
    assert (answers[0].status_code, answers[0].json()["error"]["type"]) == (503, "Stopping")
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("environment", "seconds"), [({}, 5), ({"STOP_TIMEOUT": "90"}, 90)])
def test_what_is_under_way_has_the_time_that_the_setting_says(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], seconds: int
) -> None:
    monkeypatch.delenv("STOP_TIMEOUT", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert serving(Settings())["timeout_graceful_shutdown"] == seconds
