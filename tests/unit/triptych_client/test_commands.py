"""Pictures, and the state of the stages, from the command line."""

import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.running import free_port
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import FakeStage, serving
from tests.unit.gateway.pictures import opened
from tests.unit.gateway.streams import StreamingStage
from triptych_client.__main__ import main
from triptych_client.display import Display

Capture = pytest.CaptureFixture[str]


def run(gateway: httpx.Client | str, command: str, *arguments: object) -> int:
    url = gateway if isinstance(gateway, str) else str(gateway.base_url)
    return main([command, *map(str, arguments), "--url", url])


def generate(gateway: httpx.Client | str, out: Path, *more: object) -> int:
    return run(gateway, "generate", "a red apple", "-o", out, *more)


def complaint(capsys: Capture, gateway: httpx.Client | str, out: Path, *more: object, status: int = 3) -> str:
    """What is said where nothing is written."""
    assert generate(gateway, out, *more) == status
    assert list(out.parent.glob("*.png")) == []
    return capsys.readouterr().err.strip()


def picture(path: Path, colour: str = "blue", size: tuple[int, int] = (64, 64)) -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


def test_a_picture_is_written_and_reported(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "apple.png"
    numbers = ("--seed", 5, "--steps", 7, "--guidance-scale", 3)
    assert generate(gateway, out, *numbers, "--negative-prompt", "green", "--size", "64x64") == 0
    assert opened(out.read_bytes()).size == (64, 64)
    said = capsys.readouterr().out
    assert f"{out}  seed 5" in said
    assert all(stage in said for stage in ("text_encoder", "diffusion", "decoder", "in all"))
    (sent,) = fakes["diffusion"].requests
    assert (sent["seed"], sent["num_steps"], sent["unconditional_guidance_scale"]) == (5, 7, 3)
    assert fakes["text_encoder"].requests[0]["negative_prompt"] == "green"


def test_the_answer_can_be_had_as_json(gateway: httpx.Client, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "apple.png"
    assert generate(gateway, out, "--seed", 5, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["images"][0]["file"] == str(out)
    assert "data" not in answer["images"][0]
    assert [call["stage"] for call in answer["stages"]] == ["text_encoder", "diffusion", "decoder"]


def test_several_pictures_are_numbered(gateway: httpx.Client, tmp_path: Path, capsys: Capture) -> None:
    assert generate(gateway, tmp_path / "apple.png", "-n", 2, "--seed", 5) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"apple-1.png", "apple-2.png"}
    assert f"{tmp_path / 'apple-2.png'}  seed 6" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "form"), [("a.webp", "WEBP"), ("a.jpg", "JPEG"), ("a.PNG", "PNG")])
def test_the_file_s_ending_is_its_format(gateway: httpx.Client, tmp_path: Path, name: str, form: str) -> None:
    assert generate(gateway, tmp_path / name) == 0
    with Image.open(tmp_path / name) as image:
        assert image.format == form


def test_a_picture_is_made_of_another(
    start_gateway: StartGateway, fakes: Fakes, tmp_path: Path, capsys: Capture
) -> None:
    fakes["diffusion"].extras, fakes["decoder"].extras = ["strength"], ["task"]
    image = picture(tmp_path / "photo.jpg")
    more = ("--image", image, "--strength", 0.4, "--json")
    assert generate(start_gateway(), tmp_path / "apple.png", *more) == 0
    assert json.loads(capsys.readouterr().out)["parameters"]["strength"] == 0.4


def test_a_part_of_a_picture_is_repainted(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path, capsys: Capture
) -> None:
    image, mask = picture(tmp_path / "photo.jpg"), picture(tmp_path / "mask.webp", "white")
    out = tmp_path / "apple.png"
    assert run(gateway, "inpaint", "a red apple", "--image", image, "--mask", mask, "-o", out) == 0
    assert out.exists()
    assert len(fakes["inpainting"].requests) == 1
    assert fakes["diffusion"].requests == []


def test_the_stages_are_shown(gateway: httpx.Client, fakes: Fakes, capsys: Capture) -> None:
    fakes["decoder"].state, fakes["decoder"].progress = "loading", 0.5
    assert run(gateway, "stages") == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "warm" in lines["diffusion"]
    assert "http://127.0.0.1:" in lines["diffusion"]
    assert "loading 50%" in lines["decoder"]


def test_the_stages_can_be_had_as_json(gateway: httpx.Client, capsys: Capture) -> None:
    assert run(gateway, "stages", "--json") == 0
    names = [stage["stage"] for stage in json.loads(capsys.readouterr().out)]
    assert names == ["text_encoder", "diffusion", "inpainting", "decoder"]


def test_a_prompt_is_shown_as_it_is(gateway: httpx.Client, tmp_path: Path) -> None:
    assert run(gateway, "generate", "[/red] apple", "-o", tmp_path / "a.png") == 0


def test_an_older_picture_is_replaced_as_a_whole(gateway: httpx.Client, tmp_path: Path) -> None:
    out = tmp_path / "apple.png"
    out.write_bytes(b"older")
    assert generate(gateway, out) == 0
    assert opened(out.read_bytes()).format == "PNG"
    assert list(tmp_path.iterdir()) == [out]


def test_the_stages_are_waited_for(gateway: httpx.Client, fakes: Fakes, tmp_path: Path) -> None:
    fakes["diffusion"].state, fakes["diffusion"].progress = "loading", 0.5
    waiting = threading.Thread(target=generate, args=(gateway, tmp_path / "apple.png"))
    waiting.start()
    time.sleep(0.5)
    assert fakes["text_encoder"].requests == []
    fakes["diffusion"].state = "warm"
    waiting.join()
    assert (tmp_path / "apple.png").exists()


def test_a_stage_that_the_request_does_without_is_not_waited_for(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path
) -> None:
    fakes["inpainting"].state = "loading"
    assert generate(gateway, tmp_path / "apple.png", "--wait", 0.1) == 0


def test_stages_that_do_not_become_ready_are_named(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path, capsys: Capture
) -> None:
    fakes["diffusion"].state, fakes["diffusion"].progress = "downloading", 0.25
    said = complaint(capsys, gateway, tmp_path / "apple.png", "--wait", 0.1)
    assert said.startswith("The stages are not ready: diffusion (downloading 25%)")


def test_a_stage_that_failed_is_not_waited_for(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path, capsys: Capture
) -> None:
    fakes["decoder"].announces_as = "diffusion"
    said = complaint(capsys, gateway, tmp_path / "apple.png")
    assert said.startswith("The decoder stage failed: ")
    assert "says that it is the diffusion stage" in said


def test_a_stage_is_waited_for_while_one_of_its_replicas_may_still_do_it(
    start_gateway: StartGateway, urls: dict[str, str], fakes: Fakes, tmp_path: Path, capsys: Capture
) -> None:
    fakes["decoder"].announces_as = "diffusion"
    other = FakeStage("decoder", state="loading", progress=0.5)
    with serving(other.app()) as url:
        gateway = start_gateway(decoder_url="", decoder_urls=f"{urls['decoder']},{url}")
        said = complaint(capsys, gateway, tmp_path / "apple.png", "--wait", 0.1)
    assert "The stages are not ready: decoder (failed and loading 50%)" in said


def test_a_refusal_is_told_in_the_gateway_s_words(
    gateway: httpx.Client, tmp_path: Path, capsys: Capture
) -> None:
    said = complaint(capsys, gateway, tmp_path / "apple.png", "--steps", 9999, status=1)
    assert said == "The gateway answered 422: steps must be 1 to 250; got 9999."
    assert "size must be 64x64" in complaint(capsys, gateway, tmp_path / "a.png", "--size", "96x64", status=1)


def test_an_error_can_be_had_as_json(gateway: httpx.Client, tmp_path: Path, capsys: Capture) -> None:
    assert generate(gateway, tmp_path / "apple.png", "--steps", 9999, "--json") == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["type"], error["field"], error["status"]) == ("InvalidRequest", "steps", 1)


def test_a_gateway_that_is_not_there_is_told_with_what_to_do(tmp_path: Path, capsys: Capture) -> None:
    said = complaint(capsys, f"http://127.0.0.1:{free_port()}", tmp_path / "apple.png")
    assert "No gateway answers at" in said
    assert "make up" in said
    assert "No gateway answers at" in complaint(capsys, "http://[", tmp_path / "apple.png")


def test_something_else_at_the_address_is_told(tmp_path: Path, capsys: Capture) -> None:
    stage = FakeStage("decoder")
    stage.responses["/ready"] = lambda: JSONResponse([1], 503)
    with serving(stage.app()) as url:
        assert "is not the gateway" in complaint(capsys, url, tmp_path / "apple.png")
        assert run(url, "stages") == 3


@pytest.mark.parametrize("name", ["nowhere/apple.png", "apple.gif", "apple"])
def test_a_place_that_cannot_be_written_is_told_before_anything_is_sent(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path, capsys: Capture, name: str
) -> None:
    assert "apple" in complaint(capsys, gateway, tmp_path / name, status=2)
    assert fakes["text_encoder"].requests == []


def test_a_picture_that_cannot_be_read_is_told(
    gateway: httpx.Client, tmp_path: Path, capsys: Capture
) -> None:
    said = complaint(capsys, gateway, tmp_path / "a.png", "--image", tmp_path / "none.jpg", status=2)
    assert said.endswith("none.jpg cannot be read: No such file or directory.")


def test_strength_without_a_picture_is_told(gateway: httpx.Client, tmp_path: Path, capsys: Capture) -> None:
    said = complaint(capsys, gateway, tmp_path / "a.png", "--strength", 0.5, status=2)
    assert said.startswith("--strength is for --image")


@pytest.mark.parametrize("arguments", [[], ["paint"], ["generate", "a"], ["generate", "-o", "a.png"]])
def test_a_wrong_command_line_is_told(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: triptych" in capsys.readouterr().err


def test_the_steps_are_shown_as_they_are_done(
    start_gateway: StartGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(Display, "watch", lambda self, progress: shown.append(progress))
    with serving(StreamingStage("diffusion", pause=0.05).app()) as url:
        assert generate(start_gateway(diffusion_url=url), tmp_path / "apple.png", "--steps", 3) == 0
    assert [one["step"] for one in shown if one["stage"] == "diffusion"][-1] == 3
    assert {one["stage"] for one in shown} == {"text_encoder", "diffusion", "decoder"}


def test_a_gateway_that_does_not_stream_is_understood(
    gateway: httpx.Client, tmp_path: Path, capsys: Capture
) -> None:
    answer = gateway.post("/v1/txt2img", json={"prompt": "a red apple"}).json()
    with serving(_app(lambda request: JSONResponse(answer))) as url:
        assert generate(url, tmp_path / "apple.png") == 0
    assert Image.open(io.BytesIO((tmp_path / "apple.png").read_bytes())).size == (64, 64)


def test_a_gateway_that_breaks_off_is_told(tmp_path: Path, capsys: Capture) -> None:
    with serving(_app(lambda request: Response(media_type="text/event-stream"))) as url:
        assert "broke off before the picture was done" in complaint(capsys, url, tmp_path / "apple.png")


def _app(answer: Any) -> Any:
    """A gateway that is ready and answers so."""
    ready = FakeStage("decoder")
    ready.responses["/ready"] = lambda: JSONResponse({})
    app = ready.app()
    app.routes.append(Route("/v1/txt2img", answer, methods=["POST"]))
    return app


def test_what_goes_wrong_on_the_way_is_told(
    gateway: httpx.Client, fakes: Fakes, tmp_path: Path, capsys: Capture
) -> None:
    fakes["decoder"].responses["/"] = lambda: JSONResponse({"error": "out of paint"}, 500)
    said = complaint(capsys, gateway, tmp_path / "apple.png")
    assert said.startswith("The gateway answered 502: The decoder stage was asked")
    assert "out of paint" in said
