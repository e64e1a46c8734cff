"""`python -m triptych.download`, as `make download` runs it."""

import subprocess
import sys
from pathlib import Path

from tests.fake_hub import fake_hub, small_model
from tests.running import inherited_environment

FILES = small_model()


def download(
    directory: Path, endpoint: str, *parts: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    own = {"HF_ENDPOINT": endpoint, "WEIGHTS_DIR": str(directory), "HF_HOME": str(directory / "hf")}
    return subprocess.run(
        [sys.executable, "-m", "triptych.download", *parts],
        env={**inherited_environment(), **own, "KERAS_BACKEND": "openvino", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_all_parts_are_there_afterwards(tmp_path: Path) -> None:
    with fake_hub({"owner/model": FILES}) as hub:
        result = download(tmp_path, hub.url, MODEL="owner/model")
        assert result.returncode == 0, result.stderr
        assert len(hub.transfers) == len(FILES)
    for name, content in FILES.items():
        assert (tmp_path / "owner/model/main" / name).read_bytes() == content
    for part in ("text_encoder", "diffusion", "decoder", "image_encoder"):
        assert f"model: the {part} is here" in result.stderr


def test_a_part_can_be_had_alone(tmp_path: Path) -> None:
    with fake_hub({"owner/model": FILES}) as hub:
        download(tmp_path, hub.url, "decoder", MODEL="owner/model")
        assert hub.transfers[-1] == "diffusion_pytorch_model.safetensors"
    assert not (tmp_path / "owner/model/main/text_encoder").exists()


def test_failure_is_one_sentence_and_an_exit_status(tmp_path: Path) -> None:
    result = download(tmp_path, "http://127.0.0.1:9", SD_VERSION="1.4")
    assert result.returncode == 1
    assert "kcv_encoder.h5 of fchollet/stable-diffusion could not be downloaded" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_part_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    result = download(tmp_path, "http://127.0.0.1:9", "vae")
    assert result.returncode == 2
    assert "no part is called vae" in result.stderr
