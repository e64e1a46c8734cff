"""The command as a process, and as pip installs it."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.running import ROOT, inherited_environment
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import serving, wait_until
from tests.unit.gateway.streams import StreamingStage

COMMAND = [sys.executable, "-m", "triptych_client"]


def test_it_runs_as_a_module_with_the_address_from_the_environment(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path
) -> None:
    out = tmp_path / "apple.png"
    environment = {**inherited_environment(), "TRIPTYCH_URL": str(gateway.base_url)}
    done = subprocess.run(
        [*COMMAND, "generate", "a red apple", "-o", str(out)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert out.exists()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell that has the tests run in its background has them, and what they start, ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupted_it_has_the_gateway_give_the_picture_up(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    stage = StreamingStage("diffusion", pause=0.2)
    with serving(stage.app()) as url:
        gateway = start_gateway(diffusion_url=url)
        command = [*COMMAND, "generate", "a", "-o", str(tmp_path / "a.png"), "--steps", "200"]
        running = subprocess.Popen(
            [*command, "--url", str(gateway.base_url)],
            env=inherited_environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: len(stage.steps) > 2)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
        assert (running.returncode, said.strip()) == (
            130,
            "Stopped; the gateway stops working on the picture too.",
        )
        wait_until(lambda: _under_way(gateway) == 0)


def _under_way(gateway: httpx.Client) -> int:
    return sum(
        replica["requests"] for stage in gateway.get("/v1/stages").json() for replica in stage["replicas"]
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in an environment of its own, into which pip has installed it from a copy of the source."""
    folder = tmp_path_factory.mktemp("pip")
    source = folder / "source"
    shutil.copytree(ROOT / "triptych_client", source / "triptych_client")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run([*pip, *wheel], check=True, timeout=120)
    venv.create(folder / "venv", with_pip=False)
    python, (built,) = folder / "venv" / "bin" / "python", folder.glob("*.whl")
    install = ["--python", str(python), "install", "--no-deps", "--no-index", str(built)]
    subprocess.run([*pip, *install], check=True, timeout=120)
    return folder / "venv" / "bin" / "triptych"


def test_pip_installs_the_command_and_nothing_of_the_services(
    installed: Path, gateway: httpx.Client, tmp_path: Path
) -> None:
    packages = {
        path.name for path in next((installed.parent.parent / "lib").glob("*/site-packages")).iterdir()
    }
    assert {name for name in packages if not name.endswith(".dist-info")} == {"triptych_client"}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": sysconfig.get_paths()["purelib"]}
    command = [str(installed), "generate", "a red apple", "-o", "apple.png", "--url", str(gateway.base_url)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "apple.png").exists()
