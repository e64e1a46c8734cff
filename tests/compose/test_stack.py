"""The stack in containers does what it does elsewhere, and may do no more than it needs."""

import base64
import io
import math
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image, ImageDraw

from tests.running import ROOT
from tests.tiny import IMAGE, MASK, PICTURE

from .conftest import PROJECT, READY_SECONDS, SERVICES, Stack, tell

STAGES = SERVICES[:-1]


def png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def opened(encoded: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def test_a_prompt_becomes_a_picture(stack: Stack) -> None:
    began = time.monotonic()
    answer = stack.picture()
    tell("a picture", time.monotonic() - began)
    pixels = np.asarray(opened(answer["images"][0]["data"]).convert("RGB"))
    assert pixels.shape == IMAGE
    assert pixels.std() > 5
    assert [call["replica"] for call in answer["stages"]] == [
        "http://text-encoder:8000",
        "http://diffusion:8000",
        "http://decoder:8000",
    ]


def test_inpainting_leaves_what_is_outside_the_mask(stack: Stack) -> None:
    image = opened(stack.picture()["images"][0]["data"]).convert("RGB")
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).rectangle((32, 32, 95, 95), fill=255)
    answer = requests.post(
        f"{stack.url}/v1/inpaint",
        json={"prompt": "a blue car", "image": png(image), "mask": png(mask), "seed": 2},
        headers={"Accept": "application/json"},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    before, after = np.asarray(image), np.asarray(opened(answer.json()["images"][0]["data"]).convert("RGB"))
    outside = np.asarray(mask) == 0
    assert np.array_equal(before[outside], after[outside])
    assert not np.array_equal(before[~outside], after[~outside])
    assert "http://inpainting:8000" in [call["replica"] for call in answer.json()["stages"]]


def test_make_generate_writes_a_picture(stack: Stack, tmp_path: Path) -> None:
    stack.run("make", "generate", PROMPT="a red apple", OUT=str(tmp_path / "apple.png"))
    with Image.open(tmp_path / "apple.png") as image:
        assert image.size == PICTURE


def test_make_download_runs_where_the_stages_keep_weights(stack: Stack) -> None:
    settings = {"SD_VERSION": "1.4", "HF_HUB_OFFLINE": "1"}
    ended = subprocess.run(
        ["make", "download"], cwd=ROOT, env=stack.environment | settings, capture_output=True, text=True
    )
    assert ended.returncode != 0
    assert "kcv_encoder.h5 of fchollet/stable-diffusion is not here" in ended.stderr
    assert "/weights/fchollet/stable-diffusion/main/kcv_encoder.h5" in ended.stderr


def test_every_service_becomes_healthy(stack: Stack) -> None:
    began = time.monotonic()
    while (states := {stack.inspect(name)["State"]["Health"]["Status"] for name in SERVICES}) != {"healthy"}:
        assert time.monotonic() - began < 30, states
        time.sleep(1)


@pytest.mark.parametrize("service", SERVICES)
def test_it_runs_without_rights(stack: Stack, service: str) -> None:
    lines = stack.inside(service, "cat", "/proc/1/status").stdout.splitlines()
    status = dict(line.split(":", 1) for line in lines)
    assert status["Uid"].split() == ["10001"] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("service", SERVICES)
def test_its_root_file_system_is_read_only_and_its_memory_bounded(stack: Stack, service: str) -> None:
    refused = stack.inside(service, "sh", "-c", "touch /app/x || touch /opt/venv/x || touch /x")
    assert refused.returncode != 0
    assert "Read-only file system" in refused.stderr
    assert stack.inside(service, "touch", "/tmp/x").returncode == 0
    assert stack.inspect(service)["HostConfig"]["Memory"] > 0


def test_downloaded_weights_have_a_volume_that_the_stages_can_write_to(stack: Stack) -> None:
    assert stack.inside("diffusion", "touch", "/weights/x").returncode == 0
    assert stack.inside("decoder", "rm", "/weights/x").returncode == 0


def test_the_folder_of_models_is_there_to_read_only(stack: Stack) -> None:
    refused = stack.inside("diffusion", "touch", "/models/x")
    assert "Read-only file system" in refused.stderr
    assert stack.inside("diffusion", "ls", "/models").returncode == 0


def test_stages_run_on_the_backends_that_compose_names(stack: Stack) -> None:
    details = requests.get(f"{stack.url}/v1/stages", timeout=30).json()
    backends = {stage["stage"]: stage["replicas"][0]["info"]["versions"]["backend"] for stage in details}
    assert backends == {
        "text_encoder": "openvino",
        "diffusion": "openvino",
        "inpainting": "openvino",
        "decoder": "openvino",
    }


def test_only_the_gateways_port_is_published(stack: Stack) -> None:
    published = {
        name: [address for addresses in ports.values() for address in addresses or []]
        for name in SERVICES
        if (ports := stack.inspect(name)["NetworkSettings"]["Ports"])
    }
    assert published.pop("gateway") == [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]
    assert set(map(tuple, published.values())) == {()}


def test_one_image_serves_all_stages(stack: Stack) -> None:
    assert len({stack.inspect(name)["Image"] for name in STAGES}) == 1


def test_the_gateways_image_holds_no_model_code(stack: Stack) -> None:
    for module in ("tensorflow", "keras", "triptych.models", "host"):
        assert stack.inside("gateway", "python", "-c", f"import {module}").returncode != 0


def test_logs_hold_no_prompt(stack: Stack) -> None:
    stack.picture(prompt="a very secret castle")
    logs = stack.compose("logs")
    assert '"event": "request"' in logs
    assert "secret" not in logs


def test_a_stage_is_replaced_by_its_url(stack: Stack) -> None:
    name = f"{PROJECT}-elsewhere"
    stack.run(
        *("docker", "run", "--detach", "--rm", "--name", name, "--network", f"{PROJECT}_default"),
        *("--env", "STAGE=diffusion", "triptych-stage:test"),
    )
    try:
        stack.compose("rm", "--stop", "--force", "diffusion")
        stack.compose("up", "--detach", overlays=("diffusion-remote",), DIFFUSION_URL=f"http://{name}:8000")
        stack.wait_ready()
        assert "diffusion" not in stack.services()
        assert f"http://{name}:8000" in [call["replica"] for call in stack.picture()["stages"]]
    finally:
        stack.run("docker", "rm", "--force", name)


def diffusion_places(stack: Stack) -> dict[str, str]:
    """The state of every diffusion stage that the gateway knows, by its address."""
    stages = requests.get(f"{stack.url}/v1/stages", timeout=30).json()
    replicas = next(stage["replicas"] for stage in stages if stage["stage"] == "diffusion")
    return {replica["url"]: replica["state"] for replica in replicas}


def test_a_stage_that_is_scaled_has_its_work_shared(stack: Stack) -> None:
    began = time.monotonic()
    try:
        stack.compose("up", "--detach", "--scale", "diffusion=2")
        while list((places := diffusion_places(stack)).values()) != ["warm", "warm"]:
            assert time.monotonic() - began < READY_SECONDS, places
            time.sleep(1)
        tell("a second diffusion stage, until both are warm", time.monotonic() - began)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda seed: stack.picture(seed=seed), range(8)))
        calls = [call for answer in answers for call in answer["stages"]]
        assert {call["replica"] for call in calls if call["stage"] == "diffusion"} == set(places)
    finally:
        stack.compose("up", "--detach", "--scale", "diffusion=1")


# The next two start what they need, whatever the test before has left: a stage takes half a minute.
def test_clients_of_the_stages_find_them_on_their_own_ports(started: Stack) -> None:
    def ask(port: int, **request: object) -> Any:
        answer = requests.post(f"http://127.0.0.1:{port}/", json={"batch_size": 1, **request}, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()

    try:
        started.compose("up", "--detach", "--wait", overlays=("ports",))
        text = ask(8001, inputs="a red apple on a blue background")
        contexts = [text["context_b64str"], text["unconditional_context_b64str"]]
        image, mask = (base64.b64encode(bytes(math.prod(shape))).decode() for shape in (IMAGE, MASK))
        for latent in (
            ask(8002, inputs=contexts, num_steps=5),
            ask(8003, inputs=[*contexts, image, mask], num_steps=5),
        ):
            assert len(base64.b64decode(ask(8004, inputs=latent))) == math.prod(IMAGE)
        assert len(base64.b64decode(ask(8005, inputs="a dog"))) == math.prod(IMAGE)
    finally:
        started.compose("--profile", "all-in-one", "rm", "--stop", "--force", "all-in-one")


def test_one_stage_does_everything(started: Stack) -> None:
    started.compose("rm", "--stop", "--force", *STAGES)
    started.compose("up", "--detach", overlays=("all-in-one",))
    tell("all in one, until ready", started.wait_ready())
    assert started.services() == {"all-in-one", "gateway"}
    assert [call["replica"] for call in started.picture()["stages"]] == ["http://all-in-one:8000"]
    started.compose("--profile", "all-in-one", "rm", "--stop", "--force", "all-in-one")


def test_it_stops_within_10_seconds_and_answers_what_is_under_way(stack: Stack) -> None:
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(
            requests.post,
            f"{stack.url}/v1/txt2img",
            json={"prompt": "a red apple", "steps": 40},
            timeout=120,
        )
        time.sleep(0.3)
        began = time.monotonic()
        stack.compose("stop")
        seconds = time.monotonic() - began
        answer = under_way.result()
    tell("docker compose stop with a picture under way", seconds)
    assert seconds < 10
    assert answer.status_code == 200 or (answer.status_code == 503 and answer.json()["error"]), answer.text
    assert {name: stack.inspect(name)["State"]["ExitCode"] for name in STAGES} == dict.fromkeys(STAGES, 0)


def test_make_down_leaves_nothing_running(stack: Stack) -> None:
    stack.run("make", "down")
    assert stack.services() == set()
    assert "Nothing of it runs" in stack.run("make", "down")
