"""A picture from the command line."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.progress import Progress
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import client
from gateway.client import main
from tests.running import ROOT, free_port, inherited_environment
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import FakeStage, serving
from tests.unit.gateway.pictures import opened
from tests.unit.gateway.streams import StreamingStage


def run(gateway: httpx.Client | str, out: Path, *more: str) -> None:
    url = gateway if isinstance(gateway, str) else str(gateway.base_url)
    main(["--prompt", "a red apple", "--out", str(out), "--url", url, *more])


def complaint(capsys: pytest.CaptureFixture[str], gateway: httpx.Client | str, out: Path, *more: str) -> str:
    with pytest.raises(SystemExit) as ended:
        run(gateway, out, *more)
    assert ended.value.code == 1
    assert list(out.parent.glob("*.png")) == []
    return capsys.readouterr().err


def test_a_picture_is_written_and_reported(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "apple.png"
    arguments = "--seed 5 --steps 7 --negative-prompt green --guidance-scale 3 --size 64x64"
    run(gateway, out, *arguments.split())
    assert opened(out.read_bytes()).size == (64, 64)
    said = capsys.readouterr().out
    assert f"{out}  seed 5" in said
    assert all(stage in said for stage in ("text_encoder", "diffusion", "decoder", "in all"))
    (sent,) = fakes["diffusion"].requests
    assert (sent["seed"], sent["num_steps"], sent["unconditional_guidance_scale"]) == (5, 7, 3)
    assert fakes["text_encoder"].requests[0]["negative_prompt"] == "green"


def test_the_size_is_sent(gateway: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "size must be 64x64" in complaint(capsys, gateway, tmp_path / "apple.png", "--size", "96x64")


def test_a_prompt_is_shown_as_it_is(gateway: httpx.Client, tmp_path: Path) -> None:
    main(["--prompt", "[/red] apple", "--out", str(tmp_path / "a.png"), "--url", str(gateway.base_url)])
    assert (tmp_path / "a.png").exists()


def test_an_older_picture_is_replaced_as_a_whole(gateway: httpx.Client, tmp_path: Path) -> None:
    out = tmp_path / "apple.png"
    out.write_bytes(b"older")
    run(gateway, out)
    assert opened(out.read_bytes()).format == "PNG"
    assert list(tmp_path.iterdir()) == [out]


def test_the_stages_are_waited_for(gateway: httpx.Client, fakes: Fakes, tmp_path: Path) -> None:
    fakes["diffusion"].state, fakes["diffusion"].progress = "loading", 0.5
    waiting = threading.Thread(target=run, args=(gateway, tmp_path / "apple.png"))
    waiting.start()
    time.sleep(0.5)
    assert fakes["text_encoder"].requests == []
    fakes["diffusion"].state = "warm"
    waiting.join()
    assert (tmp_path / "apple.png").exists()


def test_stages_that_do_not_become_ready_are_named(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes["diffusion"].state, fakes["diffusion"].progress = "downloading", 0.25
    said = complaint(capsys, gateway, tmp_path / "apple.png", "--wait", "0.1")
    assert "The stages are not ready: diffusion (downloading 25%)" in said


def test_a_stage_that_failed_is_not_waited_for(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes["decoder"].announces_as = "diffusion"
    said = complaint(capsys, gateway, tmp_path / "apple.png")
    assert said.strip().startswith("The decoder stage failed: ")
    assert "says that it is the diffusion stage" in said


def test_a_stage_is_waited_for_while_one_of_its_replicas_may_still_do_it(
    start_gateway: StartGateway,
    fakes: Fakes,
    urls: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fakes["decoder"].announces_as = "diffusion"
    other = FakeStage("decoder", state="loading", progress=0.5)
    with serving(other.app()) as url:
        gateway = start_gateway(decoder_url="", decoder_urls=f"{urls['decoder']},{url}")
        said = complaint(capsys, gateway, tmp_path / "apple.png", "--wait", "0.1")
    assert "The stages are not ready: decoder (failed and loading 50%)" in said


def test_an_error_of_the_gateway_is_told_in_its_words(
    gateway: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = complaint(capsys, gateway, tmp_path / "apple.png", "--steps", "9999")
    assert said.strip() == "The gateway answered 422: steps must be 1 to 250; got 9999."


def test_a_gateway_that_is_not_there_is_told_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = complaint(capsys, f"http://127.0.0.1:{free_port()}", tmp_path / "apple.png")
    assert "No gateway answers at" in said
    assert "make up" in said


def test_something_else_at_the_address_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = FakeStage("decoder")
    stage.responses["/ready"] = lambda: JSONResponse([1], 503)
    with serving(stage.app()) as url:
        assert "is not the gateway" in complaint(capsys, url, tmp_path / "apple.png")


def test_a_place_that_cannot_be_written_is_told(
    gateway: httpx.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = complaint(capsys, gateway, tmp_path / "nowhere" / "apple.png")
    assert "cannot be written: No such file or directory" in said


def test_it_runs_as_a_command(gateway: httpx.Client, tmp_path: Path) -> None:
    out = tmp_path / "apple.png"
    command = [sys.executable, "-m", "gateway.client", "--prompt", "a", "--out", str(out)]
    url = str(gateway.base_url)
    done = subprocess.run(
        [*command, "--url", url], cwd=ROOT, env=inherited_environment(), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert out.exists()


def test_the_steps_are_shown_as_they_are_done(
    start_gateway: StartGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    stage = StreamingStage("diffusion", pause=0.05)

    class Watched(Progress):
        def update(self, *args: Any, **fields: Any) -> None:
            shown.append(str(fields["description"]))
            super().update(*args, **fields)

    with serving(stage.app()) as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "Progress", Watched)
        run(start_gateway(diffusion_url=url), tmp_path / "apple.png", "--steps", "3")
    assert "diffusion: waiting, 1 before it" in shown
    assert "diffusion step 3 of 3, 0 s left" in shown
    assert shown[-1] == "decoder"


def test_a_gateway_that_breaks_off_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ready = FakeStage("decoder")
    ready.responses["/ready"] = lambda: JSONResponse({})
    silent = Route("/v1/txt2img", lambda request: Response(media_type="text/event-stream"), methods=["POST"])
    app = ready.app()
    app.routes.append(silent)
    with serving(app) as url:
        assert "broke off before the picture was done" in complaint(capsys, url, tmp_path / "apple.png")


def test_what_goes_wrong_on_the_way_is_told(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes["decoder"].responses["/"] = lambda: JSONResponse({"error": "out of paint"}, 500)
    said = complaint(capsys, gateway, tmp_path / "apple.png")
    assert said.strip().startswith("The gateway answered 502: The decoder stage was asked")
    assert "out of paint" in said
