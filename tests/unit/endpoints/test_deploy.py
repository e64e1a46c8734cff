"""A deployment says what it will do, does it with huggingface_hub's real client, and says what went wrong."""

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants
from rich.console import Console

from endpoints.bundle import write_bundle
from endpoints.deploy import DeployError, deploy, preview
from endpoints.deployment import Deployment
from endpoints.selected import Selected
from endpoints.settings import Settings
from tests.fake_account import TOKEN, FakeAccount, fake_account
from tests.running import ROOT, inherited_environment
from triptych.selection import SETTINGS

URL = "https://x.endpoints.huggingface.cloud"
RUNNING = {"state": "running", "url": URL}
COMMIT = "1" * 40
NAME = "triptych-decoder-1-4"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*SETTINGS, *(field.upper() for field in Settings.model_fields)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STAGE", "decoder")
    monkeypatch.setenv("SD_VERSION", "1.4")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAccount]:
    with fake_account(states=[{"state": "pending"}, {"state": "initializing"}, RUNNING]) as account:
        monkeypatch.setattr(constants, "ENDPOINT", account.url)
        monkeypatch.setattr(constants, "INFERENCE_ENDPOINTS_ENDPOINT", account.api)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", account.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield account


def deployment(folder: Path, **settings: Any) -> Deployment:
    selected = Selected.read()
    given = Settings(**{"namespace": "me", "hf_token": TOKEN, **settings})
    return Deployment(given, selected, write_bundle(selected, folder))


def done(folder: Path, **settings: Any) -> tuple[str, str]:
    """The address, and what was shown."""
    shown = io.StringIO()
    url = deploy(deployment(folder, **settings), Console(file=shown, width=300), poll_seconds=0.01)
    return url, shown.getvalue()


def test_the_bundle_is_pushed_and_an_endpoint_is_made_of_it(account: FakeAccount, tmp_path: Path) -> None:
    url, _ = done(tmp_path)
    assert url == URL
    pushed = account.repositories[f"me/{NAME}"]
    bundle = tmp_path / "decoder-1.4"
    assert {name: data for name, data in pushed.items() if name != ".gitattributes"} == {
        path.relative_to(bundle).as_posix(): path.read_bytes() for path in bundle.rglob("*") if path.is_file()
    }
    made = account.endpoints[f"me/{NAME}"]
    assert made["model"] == {
        "framework": "custom",
        "repository": f"me/{NAME}",
        "revision": COMMIT,
        "task": "custom",
        "image": {"huggingface": {}},
    }
    assert made["compute"] == {
        "accelerator": "cpu",
        "instanceType": "intel-spr",
        "instanceSize": "x4",
        "scaling": {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 15},
    }
    assert made["type"] == "authenticated"
    assert made["provider"] == {"vendor": "aws", "region": "us-east-1"}


def test_it_is_told_how_it_goes(account: FakeAccount, tmp_path: Path) -> None:
    _, shown = done(tmp_path)
    assert [line.split()[-1] for line in shown.splitlines()[-3:]] == ["pending", "initializing", "running"]


def test_again_it_is_updated_and_files_that_are_gone_here_go_there(
    account: FakeAccount, tmp_path: Path
) -> None:
    done(tmp_path)
    account.repositories[f"me/{NAME}"]["old.py"] = b"old"
    account.states = [{"state": "updating"}, RUNNING]
    url, shown = done(tmp_path, instance_size="x8")
    assert url == URL
    assert "old.py" not in account.repositories[f"me/{NAME}"]
    assert ("PUT", f"/v2/endpoint/me/{NAME}") in account.changes
    assert account.endpoints[f"me/{NAME}"]["compute"]["instanceSize"] == "x8"
    assert "update_inference_endpoint(" in shown


def test_one_that_was_paused_is_resumed(account: FakeAccount, tmp_path: Path) -> None:
    done(tmp_path)
    account.states = [{"state": "paused"}, {"state": "paused"}, {"state": "initializing"}, RUNNING]
    assert done(tmp_path)[0] == URL
    assert account.changes[-1] == ("POST", f"/v2/endpoint/me/{NAME}/resume")


def test_one_that_sleeps_is_there(account: FakeAccount, tmp_path: Path) -> None:
    account.states = [{"state": "scaledToZero", "url": URL}]
    assert done(tmp_path)[0] == URL


def test_a_secret_goes_to_the_endpoint_and_is_not_shown(account: FakeAccount, tmp_path: Path) -> None:
    _, shown = done(tmp_path, weights_token="hf_for_weights")
    assert account.endpoints[f"me/{NAME}"]["model"]["secrets"] == {"HF_TOKEN": "hf_for_weights"}
    assert "secrets={'HF_TOKEN': '…'}" in shown
    assert "hf_" not in shown.replace("hf_hub", "")


def test_with_a_gpu_it_has_one(account: FakeAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATOR", "gpu")
    done(tmp_path)
    compute = account.endpoints[f"me/{NAME}"]["compute"]
    assert (compute["accelerator"], compute["instanceType"], compute["instanceSize"]) == (
        "gpu",
        "nvidia-a10g",
        "x1",
    )
    assert b'"KERAS_BACKEND": "torch"' in account.repositories[f"me/{NAME}"]["triptych/bundled.json"]


def refused(folder: Path, **settings: Any) -> str:
    with pytest.raises(DeployError) as raised:
        done(folder, **settings)
    return str(raised.value)


def test_without_a_token_nothing_is_tried(account: FakeAccount, tmp_path: Path) -> None:
    assert "set HF_TOKEN to one that may write" in refused(tmp_path, hf_token=None)
    assert account.changes == []


def test_a_token_that_is_not_taken_is_told(account: FakeAccount, tmp_path: Path) -> None:
    assert "Set HF_TOKEN to a valid token" in refused(tmp_path, hf_token="hf_wrong")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (400, "no such instance type. Look at .* `hf endpoints hardware` lists which INSTANCE_TYPE"),
        (403, "The token must have the right to write to NAMESPACE"),
        (409, "NAME is taken: set NAME to another"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, sentence: str, account: FakeAccount, tmp_path: Path) -> None:
    account.refusal = (status, "no such instance type")
    with pytest.raises(DeployError, match=f"The Hub answered {status}: .*{sentence}"):
        done(tmp_path)


def test_a_repository_that_is_no_bundle_is_left_alone(account: FakeAccount, tmp_path: Path) -> None:
    account.repositories[f"me/{NAME}"] = {"model.safetensors": b"precious"}
    assert f"The repository me/{NAME} is there and is no bundle" in refused(tmp_path)
    assert account.repositories[f"me/{NAME}"] == {"model.safetensors": b"precious"}


def test_an_endpoint_of_something_else_is_left_alone(account: FakeAccount, tmp_path: Path) -> None:
    other = {"framework": "custom", "repository": "me/other", "revision": COMMIT, "task": "custom"}
    account.endpoints[f"me/{NAME}"] = {"name": NAME, "type": "authenticated", "model": other}
    assert f"The endpoint {NAME} is there and runs me/other: set NAME to another" in refused(tmp_path)
    assert account.endpoints[f"me/{NAME}"]["model"] == other
    assert account.changes == []


@pytest.mark.parametrize("state", ["failed", "updateFailed"])
def test_an_endpoint_that_fails_says_why_and_where_its_log_is(
    state: str, account: FakeAccount, tmp_path: Path
) -> None:
    account.states = [{"state": "initializing"}, {"state": state, "message": "exit code 1"}]
    said = refused(tmp_path)
    page = f"https://endpoints.huggingface.co/me/endpoints/{NAME}"
    assert said == f"The endpoint failed: exit code 1. Its log is at {page}"


def test_the_wait_has_an_end(account: FakeAccount, tmp_path: Path) -> None:
    account.states = [{"state": "initializing"}]
    said = refused(tmp_path, deploy_seconds=0.05)
    assert said.startswith("The endpoint is still initializing after 0 s. Look at https://")
    assert said.endswith("run this again with a higher DEPLOY_SECONDS")


def test_a_hub_that_cannot_be_reached_is_told(
    account: FakeAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "The Hub could not be reached" in refused(tmp_path)


def previewed(folder: Path) -> str:
    shown = io.StringIO()
    preview(deployment(folder, weights_token="hf_for_weights"), Console(file=shown, width=300))
    return shown.getvalue()


def test_a_dry_run_shows_every_call_and_no_secret(account: FakeAccount, tmp_path: Path) -> None:
    shown = previewed(tmp_path)
    assert [line.partition("(")[0] for line in shown.replace("HfApi()", "").splitlines()] == [
        "Nothing is done; with DRY_RUN=false these calls of huggingface_hub are:",
        ".repo_exists",
        "if it is there:",
        ".list_repo_files",
        "if it is not there, or holds a bundle or nothing:",
        ".get_inference_endpoint",
        ".create_repo",
        ".upload_folder",
        f"if there was no endpoint {NAME}:",
        ".create_inference_endpoint",
        f"if there was, and it ran me/{NAME}:",
        ".update_inference_endpoint",
        "if it was paused:",
        ".resume_inference_endpoint",
        "until it runs:",
        ".get_inference_endpoint",
    ]
    assert TOKEN not in shown
    assert "hf_for_weights" not in shown
    assert (account.asked, account.changes) == ([], [])


def test_nothing_is_done_that_a_dry_run_does_not_show(
    account: FakeAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time, and again when the endpoint is paused."""
    asked: set[str] = set()

    class Watched:
        def __init__(self, **options: Any) -> None:
            self._api = HfApi(**options)

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._api, name)
            asked.update([name] if callable(found) else [])
            return found

    monkeypatch.setattr("endpoints.deploy.HfApi", Watched)
    done(tmp_path)
    account.states = [{"state": "paused"}, {"state": "paused"}, RUNNING]
    done(tmp_path)
    assert asked == set(re.findall(r"HfApi\(\)\.(\w+)\(", previewed(tmp_path)))


def command(what: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "endpoints", what],
        cwd=ROOT,
        env={**inherited_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_by_default_the_command_does_nothing_but_show(tmp_path: Path) -> None:
    shown = command("deploy", STAGE="decoder", NAMESPACE="me", HF_TOKEN=TOKEN, HF_HUB_OFFLINE="1")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert "HfApi().create_inference_endpoint(name='triptych-decoder-tiny'" in shown.stderr
    assert TOKEN not in shown.stderr


def test_the_command_says_where_the_bundle_is() -> None:
    written = command("bundle", STAGE="decoder")
    assert written.stdout.strip() == str(ROOT / "build" / "bundles" / "decoder-tiny")


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"STAGE": "decoder"}, "NAMESPACE: Field required"),
        ({"STAGE": "unet", "NAMESPACE": "me"}, "STAGE must be one of"),
        ({"STAGE": "decoder", "NAMESPACE": "me", "NAME": "Too_Odd"}, "NAME: String should match"),
        (
            {"STAGE": "decoder", "NAMESPACE": "me", "INSTANCE_TYPE": "nvidia-t4"},
            "INSTANCE_TYPE=nvidia-t4 has a GPU: set ACCELERATOR=gpu",
        ),
        ({"STAGE": "decoder", "NAMESPACE": "me", "DRY_RUN": "false"}, "There is no token: set HF_TOKEN"),
    ],
)
def test_the_command_says_what_to_set(environment: dict[str, str], sentence: str, tmp_path: Path) -> None:
    ended = command("deploy", HF_HOME=str(tmp_path), **environment)
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"STAGE": "text_encoder", "SD_VERSION": "1.4"}, "triptych-text-encoder-1-4"),
        ({"STAGE": "diffusion", "MODEL": "a/Model@main"}, r"triptych-diffusion-model-[0-9a-f]{6}"),
        ({"STAGE": "diffusion", "SD_VERSION": "1.4", "VAE": "a/b"}, r"triptych-diffusion-1-4-[0-9a-f]{6}"),
        ({"STAGE": "inpainting", "MODEL": "a/" + "long-" * 9}, r"triptych-inpainting-long-[0-9a-f]{6}"),
    ],
)
def test_a_name_is_made_of_stage_and_model(
    environment: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = name_of(environment, monkeypatch, tmp_path)
    assert re.fullmatch(name, made)
    assert len(made) <= 32


def name_of(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    with monkeypatch.context() as patched:
        patched.delenv("SD_VERSION")
        for variable, value in environment.items():
            patched.setenv(variable, value)
        return deployment(folder).name


def test_two_models_have_two_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Or the one would be deployed over the other."""
    chosen = [
        {"MODEL": "stable-diffusion-v1-5/stable-diffusion-v1-5"},
        {"MODEL": "stabilityai/stable-diffusion-2-1"},
        {"MODEL": "somebody/stable-diffusion-2-1"},
        {"MODEL": "stabilityai/stable-diffusion-2-1@fp16"},
        {"SD_VERSION": "1.4"},
        {"SD_VERSION": "1.4", "VAE": "stabilityai/sd-vae-ft-mse"},
        {"SD_VERSION": "1.4", "LORA": "somebody/style"},
    ]
    for stage in ("text_encoder", "diffusion", "decoder"):
        names = {name_of({"STAGE": stage, **one}, monkeypatch, tmp_path) for one in chosen}
        assert len(names) == len(chosen)
