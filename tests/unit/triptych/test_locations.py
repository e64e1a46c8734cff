"""What MODEL names, and which of a repository's files a stage downloads."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fake_hub import fake_hub
from tests.running import inherited_environment
from triptych.checkpoints import CheckpointError
from triptych.hub import HubFile
from triptych.locations import LocalPath, RemoteFile, RemoteFolder, parse_location, parse_lora_location

WEIGHTS = b"\0" * 2000
SHARDS = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
FULL: dict[str, bytes] = {
    "model_index.json": b"{}",
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": WEIGHTS,
    "unet/diffusion_pytorch_model.fp16.safetensors": WEIGHTS,
    "unet/diffusion_pytorch_model.bin": WEIGHTS,
    "vae/diffusion_pytorch_model.safetensors": WEIGHTS,
    "text_encoder/config.json": b"{}",
    "text_encoder/model.safetensors.index.json": json.dumps(SHARDS).encode(),
    "text_encoder/model-1-of-2.safetensors": WEIGHTS,
    "text_encoder/model-2-of-2.safetensors": WEIGHTS,
    "scheduler/scheduler_config.json": b"{}",
    "safety_checker/model.safetensors": WEIGHTS,
    "everything.safetensors": WEIGHTS,
}
HALF = {name: data for name, data in FULL.items() if "fp16" in name or name == "model_index.json"}
PICKLES = {name: data for name, data in FULL.items() if name.endswith(".bin")}
REPOSITORIES = {
    "full/model": FULL,
    "half/model": HALF,
    "pickled/model": PICKLES,
    "only/vae": {"config.json": b"{}", "diffusion_pytorch_model.safetensors": WEIGHTS},
    "single/file": {"model.ckpt": WEIGHTS, "README.md": b"#"},
    "peft/lora": {"style/adapter_model.safetensors": WEIGHTS, "style/adapter_config.json": b"{}"},
    "plain/lora": {"pytorch_lora_weights.safetensors": WEIGHTS},
}
DESCRIBE, DIFFUSION, LORA = "", "diffusion", "lora"
FETCH = """
import json, sys
from triptych.locations import parse_location, parse_lora_location
from triptych.weights import unreported
if sys.argv[3] == "lora":
    location = parse_lora_location(sys.argv[1], False)
else:
    location = parse_location("MODEL", sys.argv[1], sys.argv[3] == "pickles")
try:
    path = location.fetch(sys.argv[2], unreported) if sys.argv[2] else location.describe(unreported)
    print(json.dumps(str(path)))
except Exception as error:
    print(json.dumps(f"{type(error).__name__}: {error}"))
"""


def run(directory: Path, endpoint: str, model: str, part: str, how: str = "") -> str:
    own = {"HF_ENDPOINT": endpoint, "WEIGHTS_DIR": str(directory), "HF_HOME": str(directory / "hf")}
    result = subprocess.run(
        [sys.executable, "-c", FETCH, model, part, how],
        env={**inherited_environment(), **own, "KERAS_BACKEND": "openvino"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answer: str = json.loads(result.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize(
    ("model", "part", "how", "expected"),
    [
        (
            "full/model",
            DESCRIBE,
            "",
            ["config.json", "config.json", "scheduler_config.json", "model_index.json"],
        ),
        ("full/model", DIFFUSION, "pickles", ["diffusion_pytorch_model.safetensors"]),
        (
            "full/model",
            "text_encoder",
            "",
            ["model.safetensors.index.json", "model-1-of-2.safetensors", "model-2-of-2.safetensors"],
        ),
        ("full/model", "decoder", "", ["diffusion_pytorch_model.safetensors"]),
        ("half/model", DIFFUSION, "", ["diffusion_pytorch_model.fp16.safetensors"]),
        ("pickled/model", DIFFUSION, "pickles", ["diffusion_pytorch_model.bin"]),
        ("only/vae", "image_encoder", "", ["diffusion_pytorch_model.safetensors"]),
        ("full/model/everything.safetensors", DIFFUSION, "", ["everything.safetensors"]),
        ("plain/lora", DIFFUSION, LORA, ["pytorch_lora_weights.safetensors"]),
        (
            "peft/lora/style/adapter_model.safetensors",
            DIFFUSION,
            LORA,
            ["adapter_config.json", "adapter_model.safetensors"],
        ),
    ],
)
def test_a_stage_downloads_its_own_files_once(
    tmp_path: Path, model: str, part: str, how: str, expected: list[str]
) -> None:
    with fake_hub(REPOSITORIES) as hub:
        path = run(tmp_path, hub.url, model, part, how)
        assert hub.transfers == expected
        hub.asked.clear()
        assert run(tmp_path, hub.url, model, part, how) == path
        assert hub.asked == []


@pytest.mark.parametrize(
    ("model", "part", "sentence"),
    [
        (
            "single/file",
            DESCRIBE,
            "it has no model_index.json. Name one of its files, as single/file/model.ckpt",
        ),
        ("pickled/model", DIFFUSION, "ALLOW_PICKLE=true"),
        ("half/model", "text_encoder", "has no weights of the text_encoder: diffusers keeps them in"),
        ("no/model", DESCRIBE, "The Hub has no repository no/model"),
        ("full/model/missing.safetensors", DIFFUSION, "The repository has no such file"),
    ],
)
def test_what_a_repository_lacks_is_said_and_nothing_is_downloaded(
    tmp_path: Path, model: str, part: str, sentence: str
) -> None:
    with fake_hub(REPOSITORIES) as hub:
        assert sentence in run(tmp_path, hub.url, model, part)
        assert hub.transfers == []


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("owner/name", RemoteFolder("owner/name", "main", False)),
        ("owner/name@fp16", RemoteFolder("owner/name", "fp16", False)),
        ("owner/name/a/b.safetensors", RemoteFile(HubFile("owner/name", "a/b.safetensors"))),
        ("owner/name@v1.0/b.safetensors", RemoteFile(HubFile("owner/name", "b.safetensors", "v1.0"))),
    ],
)
def test_a_name_that_is_nothing_here_is_one_of_the_hub(text: str, location: Any) -> None:
    assert parse_location("MODEL", text, False) == location


def test_what_is_here_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner/name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert parse_location("MODEL", "owner/name", False) == LocalPath(Path("owner/name"))


@pytest.mark.parametrize("text", ["/models/a.safetensors", "./a/b", "~/a/b", "a.safetensors", "owner/../b/c"])
def test_a_path_that_is_not_there_is_no_repository(text: str) -> None:
    with pytest.raises(CheckpointError, match=f"VAE: there is no {text} here"):
        parse_location("VAE", text, False)


@pytest.mark.parametrize("name", ["pytorch_lora_weights.safetensors", "adapter_model.safetensors"])
def test_a_folder_stands_for_the_lora_in_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(WEIGHTS)
    assert parse_lora_location(str(tmp_path), False) == LocalPath(tmp_path / name)


def test_a_folder_without_a_lora_is_refused_with_the_names_of_one(tmp_path: Path) -> None:
    (tmp_path / "style.safetensors").write_bytes(WEIGHTS)
    with pytest.raises(
        CheckpointError, match=r"without pytorch_lora_weights\.safetensors or .*: name the file"
    ):
        parse_lora_location(str(tmp_path), False)
