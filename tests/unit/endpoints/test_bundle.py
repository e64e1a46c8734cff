"""A bundle is complete, and has nothing that an endpoint does not take."""

import json
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from endpoints.bundle import write_bundle
from endpoints.selected import BACKENDS, STAGES, VARIABLES, BundleError, Selected
from tests.running import BACKENDS as BACKENDS_HERE
from tests.running import ROOT
from triptych.selection import SETTINGS, SelectionError

SKIPPED = ("tf*", "pytorch*", "flax*", "rust*", "*onnx*", "*openvino*", "*tar.gz*")
"""What the endpoint's downloader may leave out; contracts of huggingface-inference-toolkit 0.5.6."""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SETTINGS, "STAGE", "ACCELERATOR"):
        monkeypatch.delenv(name, raising=False)


def selected(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Selected:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Selected.read()


@pytest.fixture
def bundle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return write_bundle(selected(monkeypatch, STAGE="diffusion", SD_VERSION="1.4"), tmp_path)


def files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("version", ["tiny", "1.4"])
def test_it_has_the_handler_unchanged_and_the_library(
    stage: str, version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = write_bundle(selected(monkeypatch, STAGE=stage, SD_VERSION=version), tmp_path)
    assert folder == tmp_path / f"{stage}-{version}"
    handler = (folder / "handler.py").read_bytes()
    assert handler == (ROOT / "services" / stage / "handler.py").read_bytes()
    library = ROOT / "services" / "triptych"
    modules = {path.relative_to(library).as_posix() for path in library.rglob("*.py")}
    assert modules <= set(files(folder / "triptych"))
    assert {"LICENSE", "README.md", "requirements.txt", "triptych/assets/NOTICE.md"} <= set(files(folder))
    assert ("triptych/assets/tiny.safetensors" in files(folder)) == (version == "tiny")
    assert not [name for name in files(folder) if "__pycache__" in name or "/." in f"/{name}"]


@pytest.mark.parametrize("stage", STAGES)
def test_no_name_in_it_is_one_that_a_download_may_skip(
    stage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = write_bundle(selected(monkeypatch, STAGE=stage), tmp_path)
    parts = {part for name in files(folder) for part in (name, *Path(name).parts)}
    assert not [part for part in parts for pattern in SKIPPED if fnmatch(part, pattern)]


def test_it_says_which_model_it_is(bundle: Path) -> None:
    said = json.loads((bundle / "triptych" / "bundled.json").read_text())
    assert said == {"SD_VERSION": "1.4", "KERAS_BACKEND": "openvino"}


@pytest.mark.parametrize("stage", STAGES)
def test_on_a_cpu_it_computes_as_the_stage_does_here(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert selected(monkeypatch, STAGE=stage).environment["KERAS_BACKEND"] == BACKENDS_HERE[stage.upper()]


def test_everything_that_makes_a_model_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    of_this_machine = {"WEIGHTS_DIR", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", "BATCH_ROWS"}
    assert set(VARIABLES) == set(SETTINGS) - of_this_machine
    said = {"STAGE": "decoder", "MODEL": "owner/name@main", "VAE": "a/b/c.safetensors", "DTYPE": "bfloat16"}
    chosen = selected(monkeypatch, **said, KERAS_BACKEND="openvino")
    assert chosen.name == "decoder-name"
    assert chosen.environment == {
        "MODEL": "owner/name@main",
        "VAE": "a/b/c.safetensors",
        "DTYPE": "bfloat16",
        "KERAS_BACKEND": "openvino",
    }


def test_it_is_written_anew(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bundle / "old.py").write_text("")
    assert not (write_bundle(Selected.read(), bundle.parent) / "old.py").exists()


@pytest.mark.parametrize("backend", BACKENDS)
def test_its_requirements_are_the_versions_that_are_tested_here(
    backend: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chosen = selected(monkeypatch, STAGE="decoder", KERAS_BACKEND=backend)
    lines = (write_bundle(chosen, tmp_path) / "requirements.txt").read_text().splitlines()
    locked = set(re.findall(r"^[\w-]+==[\w.]+", (ROOT / "requirements/stage.txt").read_text(), re.MULTILINE))
    assert {line for line in lines if "==" in line} <= locked
    assert not [line for line in lines if "/" in line or line.startswith("-")]
    libraries = {line.partition("=")[0] for line in lines}
    assert ("tensorflow-cpu" in libraries) == (backend == "tensorflow")
    assert ("openvino" in libraries) == (backend == "openvino")


def test_what_the_endpoints_server_needs_itself_is_not_replaced(bundle: Path) -> None:
    lines = (bundle / "requirements.txt").read_text().splitlines()
    assert {line for line in lines if "==" not in line} == {"huggingface-hub>=0.30", "numpy>=2"}


def test_its_card_has_metadata_and_how_to_call_it(bundle: Path) -> None:
    card = ModelCard((bundle / "README.md").read_text())
    assert card.data.get("license") == "creativeml-openrail-m"
    assert card.data.get("pipeline_tag") == "text-to-image"
    assert "custom-handler" in card.data.get("tags")
    assert card.data.get("inference") == "endpoints"
    assert "| `SD_VERSION` | `1.4` |" in card.text
    assert '-d \'{"inputs": ["<context>", "<unconditional context>"], "batch_size": 1}\'' in card.text
    assert "DIFFUSION_URL=https://" in card.text
    assert "CreativeML Open RAIL-M" in card.text


@pytest.mark.parametrize("stage", STAGES)
def test_links_in_its_card_lead_somewhere(
    stage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = write_bundle(selected(monkeypatch, STAGE=stage), tmp_path)
    text = (folder / "README.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert "triptych/assets/NOTICE.md" in links
    assert not [link for link in links if not link.startswith("http") and not (folder / link).exists()]
    assert ModelCard(text).data.get("license") == "apache-2.0"


def test_with_a_gpu_it_computes_with_the_pytorch_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = selected(monkeypatch, STAGE="diffusion", ACCELERATOR="gpu")
    assert chosen.environment["KERAS_BACKEND"] == "torch"
    assert not [line for line in chosen.requirements if "torch" in line or "tensorflow" in line]


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"STAGE": "unet"}, "STAGE must be one of text_encoder, .*; got 'unet'"),
        ({}, "STAGE must be one of text_encoder, .*; got ''"),
        ({"STAGE": "decoder", "ACCELERATOR": "tpu"}, "ACCELERATOR must be cpu or gpu; got 'tpu'"),
        ({"STAGE": "decoder", "KERAS_BACKEND": "jax"}, "KERAS_BACKEND must be one of .* in an endpoint"),
        (
            {"STAGE": "decoder", "KERAS_BACKEND": "openvino", "ACCELERATOR": "gpu"},
            "on the CPU in an endpoint",
        ),
        ({"STAGE": "decoder", "MODEL": "/models/a.safetensors"}, "MODEL=/models/a.safetensors is on this"),
        ({"STAGE": "decoder", "MODEL": "a/b", "LORA": "c/d/e.safetensors,./f:0.5"}, "LORA=.* cannot see it"),
        ({"STAGE": "decoder", "MODEL": "services/triptych"}, "push it to the Hub"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(
    environment: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(BundleError, match=sentence):
        selected(monkeypatch, **environment)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SD_VERSION": "3"}, "SD_VERSION must be one of tiny, 1.4, 2; got '3'"),
        ({"VAE": "a/b"}, "VAE and LORA are for the full models"),
        ({"DTYPE": "int8"}, "DTYPE must be one of"),
    ],
)
def test_what_the_library_refuses_is_refused_at_once(
    environment: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SelectionError, match=sentence):
        selected(monkeypatch, STAGE="decoder", **environment)


@pytest.mark.parametrize(("given", "is_there"), [("", "1.4"), ("2", "2")])
def test_the_library_in_it_puts_the_model_under_what_the_environment_says(
    given: str, is_there: str, bundle: Path
) -> None:
    script = "import os, sys; sys.path.insert(0, '.'); import triptych; print(os.environ['SD_VERSION'])"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=bundle,
        env={"SD_VERSION": given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == is_there
