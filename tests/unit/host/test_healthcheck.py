import os
import subprocess
import sys

from tests.running import ROOT

from .conftest import Serve


def check(port: int) -> int:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "services"), "PORT": str(port)}
    return subprocess.run([sys.executable, "-m", "host.healthcheck"], env=environment, timeout=30).returncode


def test_a_warm_stage_is_healthy(serve: Serve) -> None:
    assert check(serve().base_url.port or 0) == 0


def test_a_stage_that_failed_to_load_is_not(serve: Serve) -> None:
    client = serve("raise OSError('no weights')\n", until="failed")
    assert check(client.base_url.port or 0) == 1


def test_nothing_listening_is_not_healthy() -> None:
    assert check(1) == 1


def test_it_imports_nothing_heavy() -> None:
    heavy = "('starlette', 'pydantic', 'numpy')"
    command = f"import sys, host.healthcheck; print([name for name in {heavy} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "services")}
    printed = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True, timeout=30
    )
    assert printed.stdout.strip() == "[]"
