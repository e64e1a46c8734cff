"""keras-cv's StableDiffusion and StableDiffusionV2 against ours: the full models, random weights, same noise.

Ours on every Keras backend that PARITY_BACKENDS names (all, unless it is set) and that is installed, or with
one version of the model alone (openvino:1); keras-cv's on TensorFlow.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.checkpoint_files import make_keras_h5
from tests.parity.pictures import PARTS, REQUESTS, Picture
from tests.running import inherited_environment

DEFAULTS = ("tensorflow", "openvino")
BACKENDS = os.environ.get("PARITY_BACKENDS", "tensorflow openvino jax torch").split()


@pytest.fixture(scope="module", params=REQUESTS)
def version(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def folder(version: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The weights of each part in the published files' layout, gone after the tests: they are large."""
    directory = tmp_path_factory.mktemp("weights")
    for seed, part in enumerate(PARTS):
        make_keras_h5(directory / f"{part}.h5", part, version, seed)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def expected(folder: Path, version: str) -> list[Picture]:
    """keras-cv's pictures, which must be pictures of something for a comparison to mean anything."""
    pictures = made("keras-cv", folder, version, "tensorflow", len(REQUESTS[version]))
    for picture in pictures:
        assert picture.std() > 10
        assert np.isin(picture, (0, 255)).mean() < 0.5
    return pictures


def made(who: str, folder: Path, version: str, backend: str, count: int) -> list[Picture]:
    own = {"KERAS_BACKEND": backend, "WEIGHTS_DIR": str(folder), "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(
        [sys.executable, "-m", "tests.parity.pictures", who, str(folder), version, str(count)],
        env={**inherited_environment(), **own, "HF_HUB_OFFLINE": "1"},
        cwd=os.getcwd(),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    with np.load(folder / f"{who}.npz") as file:
        return [file[name] for name in file.files]


@pytest.mark.parametrize("compared", BACKENDS)
def test_the_same_noise_makes_the_same_images(
    expected: list[Picture], folder: Path, version: str, compared: str
) -> None:
    backend, _, only = compared.partition(":")
    if only not in ("", version):
        pytest.skip(f"PARITY_BACKENDS has {backend} compared on version {only}")
    if version == "2" and backend not in DEFAULTS:
        pytest.skip("the backends are compared on version 1, and version 2 on those that are defaults")
    if find_spec(backend) is None:
        pytest.skip(f"needs {backend}")
    count = len(expected) if backend in DEFAULTS else 1
    found = made("ours", folder, version, backend, count)
    expected = expected[:count]
    assert [picture.shape for picture in found] == [picture.shape for picture in expected]
    differences = [int(np.abs(a.astype(int) - b).max()) for a, b in zip(found, expected, strict=True)]
    print(f"version {version} on {backend}: {differences} of 255 at most")
    assert max(differences) <= 1
