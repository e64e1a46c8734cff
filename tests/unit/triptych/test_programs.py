"""The built-in model on every Keras backend that is installed, each in a process of its own."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.running import inherited_environment

Outputs = dict[str, npt.NDArray[np.float32]]

OTHERS = ("openvino", "jax", "torch")
RUN = """
import sys
import numpy as np
from triptych.compiled import CompiledPart
from triptych.variants import chosen_variant
from triptych.weights import unreported
variant = chosen_variant()
rng = np.random.default_rng(0)
def normal(*shape):
    return rng.standard_normal(shape, np.float32)
tokens = rng.integers(0, 49408, (1, 77), np.int32)
inputs = {
    "text_encoder": {"tokens": tokens, "positions": np.arange(77, dtype=np.int32)[None]},
    "diffusion": {
        "latent": normal(2, *variant.latent),
        "embedding": normal(2, 320),
        "context": normal(2, *variant.context),
    },
    "decoder": {"latent": normal(1, *variant.latent)},
    "image_encoder": {"image": rng.uniform(-1, 1, (1, *variant.shapes("image")["image"])).astype(np.float32)},
}
np.savez(sys.argv[1], **{
    part: CompiledPart(variant, part, given, unreported)(**given) for part, given in inputs.items()
})
"""


def outputs(directory: Path, backend: str, **environment: str) -> Outputs:
    path = directory / f"{backend}.npz"
    subprocess.run(
        [sys.executable, "-c", RUN, str(path)],
        env={**inherited_environment(), "KERAS_BACKEND": backend, **environment},
        check=True,
        timeout=300,
        capture_output=True,
    )
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def on_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    return outputs(tmp_path_factory.mktemp("tensorflow"), "tensorflow")


def difference(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("backend", OTHERS)
def test_every_part_gives_the_same_on_every_backend(
    on_tensorflow: Outputs, tmp_path: Path, backend: str
) -> None:
    if find_spec(backend) is None:
        pytest.skip(f"needs {backend}")
    found = outputs(tmp_path, backend)
    assert found.keys() == on_tensorflow.keys()
    for part, expected in on_tensorflow.items():
        assert difference(found[part], expected) < 1e-4, part


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("backend", ["tensorflow", *OTHERS])
def test_half_precision_is_near_and_is_not_the_same(
    on_tensorflow: Outputs, tmp_path: Path, backend: str, dtype: str
) -> None:
    if find_spec(backend) is None:
        pytest.skip(f"needs {backend}")
    # OpenVINO computes in float32 on a processor that has no instructions for the other.
    least = 0 if backend == "openvino" else 1e-4
    for part, found in outputs(tmp_path, backend, DTYPE=dtype).items():
        assert found.dtype == np.float32
        assert least <= difference(found, on_tensorflow[part]) < 0.1, part
