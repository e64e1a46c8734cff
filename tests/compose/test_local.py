"""`make up` without containers: the same services as processes, on the ports that clients know."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.fake_hub import fake_hub, small_model
from tests.running import ROOT
from tests.tiny import PICTURE

PORTS = {"text_encoder": 8001, "diffusion": 8002, "inpainting": 8003, "decoder": 8004}


def make(target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "MODE": "local", **variables}
    return subprocess.run(["make", target], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def started() -> Iterator[str]:
    """What `make up` shows."""
    assert not (ROOT / ".run" / "supervisord.pid").exists(), "a stack runs already: make down MODE=local"
    ended = make("up")
    try:
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
        yield ended.stdout
    finally:
        make("down")


def test_it_says_how_it_runs_and_how_it_is_used(started: str) -> None:
    assert "as local processes" in started
    assert "http://127.0.0.1:8000" in started
    assert "curl http://127.0.0.1:8000/v1/txt2img" in started
    assert ".run/logs/" in started


def test_every_stage_is_warm_on_its_port(started: str) -> None:
    states = {stage: requests.get(f"http://127.0.0.1:{port}/ready").json() for stage, port in PORTS.items()}
    assert {stage: state["stage"] for stage, state in states.items()} == {stage: stage for stage in PORTS}
    assert {state["state"] for state in states.values()} == {"warm"}


def test_the_stages_run_on_the_backends_that_containers_have(started: str) -> None:
    cards = {stage: requests.get(f"http://127.0.0.1:{port}/info").json() for stage, port in PORTS.items()}
    assert {stage: card["versions"]["backend"] for stage, card in cards.items()} == {
        "text_encoder": "openvino",
        "diffusion": "openvino",
        "inpainting": "openvino",
        "decoder": "openvino",
    }


def test_generate_writes_a_picture(started: str, tmp_path: Path) -> None:
    ended = make("generate", PROMPT="a red apple", OUT=str(tmp_path / "new folder" / "apple.png"))
    assert ended.returncode == 0, ended.stderr
    with Image.open(tmp_path / "new folder" / "apple.png") as image:
        assert image.size == PICTURE


def test_generate_without_a_prompt_says_what_to_give(started: str) -> None:
    assert 'make generate PROMPT="a red apple"' in make("generate").stderr


def test_up_again_changes_nothing(started: str) -> None:
    supervisor = (ROOT / ".run" / "supervisord.pid").read_text()
    assert "It runs already" in make("up").stdout
    assert (ROOT / ".run" / "supervisord.pid").read_text() == supervisor


def test_down_stops_everything_and_says_so(started: str) -> None:
    assert "Stopped" in make("down").stdout
    for port in (8000, *PORTS.values()):
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/health", timeout=5)
    assert "Nothing of it runs" in make("down").stdout


def test_a_path_in_the_folder_of_models_is_the_same_as_in_containers(tmp_path: Path) -> None:
    ended = make("up", MODELS_DIR=str(tmp_path), MODEL="/models/missing.safetensors")
    make("down")
    assert ended.returncode != 0
    assert str(tmp_path / "missing.safetensors") in ended.stderr


def test_weights_are_downloaded_ahead_with_those_of_a_model_for_inpainting(tmp_path: Path) -> None:
    with fake_hub({"some/model": small_model(4), "other/model": small_model(9)}) as hub:
        settings = {"HF_ENDPOINT": hub.url, "WEIGHTS_DIR": str(tmp_path), "HF_HOME": str(tmp_path / "hf")}
        ended = make("download", MODEL="some/model", INPAINTING_MODEL="other/model", **settings)
    assert ended.returncode == 0, ended.stderr
    weights = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("[!.]*.safetensors")}
    assert weights == {
        "some/model/main/text_encoder/model.safetensors",
        *(
            f"{name}/model/main/{part}/diffusion_pytorch_model.safetensors"
            for name in ("some", "other")
            for part in ("unet", "vae")
        ),
    }


def test_a_folder_of_models_that_is_not_there_is_told(tmp_path: Path) -> None:
    ended = make("up", MODELS_DIR=str(tmp_path / "nowhere"))
    assert ended.returncode != 0
    assert f"MODELS_DIR must be a folder; there is no {tmp_path / 'nowhere'}" in ended.stderr


def test_a_process_that_cannot_start_ends_the_wait() -> None:
    ended = make("up", DIFFUSION_URL="nonsense")
    make("down")
    assert ended.returncode != 0
    assert "DIFFUSION_URL must be" in ended.stderr
