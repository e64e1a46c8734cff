"""What the compose files come to when they are put on top of each other."""

import json
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import gateway.app
import gateway.settings
import host.app
import host.settings
from gateway.keys.key import line_of
from scripts.swarm import Untranslatable, stack
from tests.running import ROOT

STAGES = {"text-encoder": 8001, "diffusion": 8002, "inpainting": 8003, "decoder": 8004}
TUNED = {"FINE_TUNED_MODEL": "/models/tuned.safetensors"}
Services = dict[str, dict[str, Any]]


def configured(*overlays: str, **environment: str) -> subprocess.CompletedProcess[str]:
    files = [part for overlay in overlays for part in ("-f", f"compose/{overlay}.yaml")]
    return subprocess.run(
        ["docker", "compose", "-f", "compose.yaml", *files, "config", "--format", "json"],
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", **environment},
        capture_output=True,
        text=True,
    )


def project(*overlays: str, **environment: str) -> dict[str, Any]:
    result = configured(*overlays, **environment)
    assert result.returncode == 0, result.stderr
    described: dict[str, Any] = json.loads(result.stdout)
    return described


def services(*overlays: str, **environment: str) -> Services:
    described: Services = project(*overlays, **environment)["services"]
    return described


def addresses(service: dict[str, Any]) -> list[tuple[str, str]]:
    return [(port.get("host_ip", ""), port["published"]) for port in service.get("ports", [])]


def test_by_default_there_are_four_stages_and_a_gateway() -> None:
    assert set(services()) == {*STAGES, "gateway"}


def test_only_the_gateway_is_published_and_only_on_this_machine() -> None:
    published = {name: addresses(service) for name, service in services().items()}
    assert published == {"gateway": [("127.0.0.1", "8000")], **{name: [] for name in STAGES}}


def test_the_gateway_is_published_elsewhere_by_a_variable() -> None:
    assert addresses(services(GATEWAY_PUBLISH="0.0.0.0:80")["gateway"]) == [("0.0.0.0", "80")]


def settings_in(monkeypatch: pytest.MonkeyPatch, service: dict[str, Any]) -> gateway.settings.Settings:
    """As the gateway reads them in its container. ValueError where it would not start."""
    environment = {**service["environment"], "GATEWAY_HOST": "0.0.0.0"}
    set_environment(monkeypatch, gateway.settings.Settings.model_fields, environment)
    return gateway.settings.Settings()


def stage_settings_in(monkeypatch: pytest.MonkeyPatch, service: dict[str, Any]) -> host.settings.Settings:
    """As a stage reads them in its container. ValueError where it would not start."""
    environment = {**service["environment"], "HOST": "0.0.0.0"}
    set_environment(monkeypatch, host.settings.Settings.model_fields, environment)
    return host.settings.Settings()


def set_environment(
    monkeypatch: pytest.MonkeyPatch, fields: Iterable[str], environment: dict[str, str | None]
) -> None:
    """What is not handed on is not set."""
    for name in map(str.upper, fields):
        monkeypatch.delenv(name, raising=False)
        if (value := environment.get(name)) is not None:
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize("publish", [None, "127.0.0.1:9000"])
def test_the_gateway_needs_no_key_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, publish: str | None
) -> None:
    given = {"GATEWAY_PUBLISH": publish} if publish else {}
    assert not settings_in(monkeypatch, services(**given)["gateway"]).needs_keys


def test_published_to_others_it_does_not_start_without(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"GATEWAY_PUBLISH": "0.0.0.0:80"}
    with pytest.raises(ValueError, match="GATEWAY_PUBLISH lets others than this machine reach"):
        settings_in(monkeypatch, services(**given)["gateway"])
    given["GATEWAY_KEYS"] = line_of("ann", "secret")
    assert settings_in(monkeypatch, services(**given)["gateway"]).needs_keys


def test_by_tls_the_proxy_alone_is_published_and_keys_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "set DOMAIN to the name" in configured("tls").stderr
    layered = services("tls", DOMAIN="pictures.example")
    published = {name: addresses(service) for name, service in layered.items() if service.get("ports")}
    assert published == {"proxy": [("", "80"), ("", "443")]}
    with pytest.raises(ValueError, match="needs a key"):
        settings_in(monkeypatch, layered["gateway"])


def test_a_file_of_keys_is_mounted_by_its_folder_and_not_written_to() -> None:
    layered = services("keys", KEYS_DIR="./ours")["gateway"]
    (mount,) = [volume for volume in layered["volumes"] if volume["target"] == "/keys"]
    assert (mount["type"], mount["source"], mount["read_only"]) == ("bind", str(ROOT / "ours"), True)
    assert layered["environment"]["GATEWAY_KEYS_FILE"] == "/keys/keys"


@pytest.mark.parametrize("variable", ["STAGE_SECRET", "STAGE_SECRET_FILE"])
def test_every_stage_and_the_gateway_have_the_same_secret(variable: str) -> None:
    for name, service in services("ports", **{variable: "ours"}).items():
        assert service["environment"][variable] == "ours", name


def test_stages_that_are_published_to_others_do_not_start_without_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layered = services("ports", STAGES_PUBLISH="10.0.0.2")
    guarded = services("ports", STAGES_PUBLISH="10.0.0.2", STAGE_SECRET="ours")
    for name in (*STAGES, "all-in-one"):
        assert {host for host, _ in addresses(layered[name])} == {"10.0.0.2"}
        with pytest.raises(ValueError, match="STAGES_PUBLISH lets others than this machine reach"):
            stage_settings_in(monkeypatch, layered[name])
        assert stage_settings_in(monkeypatch, guarded[name]).secret == "ours"


@pytest.mark.parametrize("overlays", [(), ("ports",)])
def test_stages_need_no_secret_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, overlays: tuple[str, ...]
) -> None:
    described = services(*overlays)
    assert not any(stage_settings_in(monkeypatch, described[name]).secret for name in STAGES)


def test_every_stage_has_its_own_port_in_the_ports_overlay() -> None:
    published = {name: addresses(service) for name, service in services("ports").items()}
    ports = {**STAGES, "all-in-one": 8005, "gateway": 8000}
    assert published == {name: [("127.0.0.1", str(port))] for name, port in ports.items()}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_pointed_elsewhere_by_its_variable(stage: str) -> None:
    variable = f"{stage.upper().replace('-', '_')}_URL"
    gateway = services(**{variable: "https://elsewhere.example"})["gateway"]
    assert gateway["environment"][variable] == "https://elsewhere.example"


@pytest.mark.parametrize(
    ("overlays", "stage", "more"),
    [
        ((), "diffusion", {}),
        (("diffusion-remote",), "diffusion", {"DIFFUSION_URL": "https://b.example"}),
        (("all-in-one",), "all_in_one", {}),
    ],
)
def test_a_stage_in_several_places_is_named_by_a_list(
    monkeypatch: pytest.MonkeyPatch, overlays: tuple[str, ...], stage: str, more: dict[str, str]
) -> None:
    variables = {f"{stage.upper()}_URLS": "http://a:8000;https://b.example", **more}
    places = settings_in(monkeypatch, services(*overlays, **variables)["gateway"]).places(stage)
    assert [place.url for place in places] == ["http://a:8000", "https://b.example"]


@pytest.mark.parametrize("stage", ["diffusion", "inpainting", "decoder"])
def test_a_remote_stage_does_not_start_here_and_must_be_named(stage: str) -> None:
    variable = f"{stage.upper()}_URL"
    refused = configured(f"{stage}-remote")
    assert refused.returncode != 0
    assert f"set {variable} to the address" in refused.stderr
    layered = services(f"{stage}-remote", **{variable: "https://elsewhere.example"})
    assert set(layered) == {*STAGES, "gateway"} - {stage}
    assert layered["gateway"]["environment"][variable] == "https://elsewhere.example"


def test_every_setting_of_gateway_and_stages_can_be_set_here() -> None:
    of_layers = {"facades", "stages_publish"}
    own = {"gateway_host", "gateway_port", "models", "host", "port", "handlers_dir", *of_layers}
    described = services()
    for service, settings in (("gateway", gateway.settings.Settings), ("decoder", host.settings.Settings)):
        settable = {name.lower() for name in described[service]["environment"]}
        assert set(settings.model_fields) - own <= settable
    assert services(MAX_QUEUE="3")["diffusion"]["environment"]["MAX_QUEUE"] == "3"


def test_gateways_share_their_jobs_in_a_server_that_only_they_reach() -> None:
    layered = services("shared-jobs", JOBS_PASSWORD="sesame")
    assert set(layered) == {*STAGES, "gateway", "jobs"}
    server, gateway_ = layered["jobs"], layered["gateway"]
    assert re.fullmatch(r"valkey/valkey:\d+\.\d+\.\d+-alpine", server["image"])
    assert (server["user"], server["read_only"], server["cap_drop"]) == ("999:1000", True, ["ALL"])
    assert [volume["target"] for volume in server["volumes"]] == ["/data"]
    options = " ".join(server["command"])
    for option in (
        "appendonly yes",
        "appendfsync always",
        "maxmemory-policy noeviction",
        "requirepass sesame",
    ):
        assert f"--{option}" in options
    assert "ports" not in server
    assert set(server["networks"]) == {"jobs"} < set(gateway_["networks"])
    assert gateway_["environment"]["JOBS_URL"] == "valkey://jobs:6379/0"
    assert gateway_["environment"]["JOBS_PASSWORD"] == "sesame"
    assert gateway_["depends_on"]["jobs"]["condition"] == "service_healthy"
    assert gateway_["deploy"]["replicas"] == 2
    assert addresses(gateway_) == [("127.0.0.1", "8000-8001")]


def test_by_tls_gateways_that_share_their_jobs_are_not_published_themselves() -> None:
    layered = services("shared-jobs", "tls", DOMAIN="pictures.example")
    assert addresses(layered["gateway"]) == []
    assert layered["gateway"]["deploy"]["replicas"] == 2


def test_make_refuses_the_order_in_which_they_would_be(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "MODE": "compose", "MODELS_DIR": str(tmp_path)}
    refused = subprocess.run(
        ["scripts/stack.sh", "up"],
        cwd=ROOT,
        env={**environment, "OVERLAYS": "tls shared-jobs"},
        capture_output=True,
        text=True,
    )
    assert refused.returncode != 0
    assert "OVERLAYS must name tls after shared-jobs" in refused.stderr


def swarm_services(*overlays: str, **environment: str) -> Services:
    made: Services = stack(project("swarm", *overlays, **environment))["services"]
    return made


def test_on_a_swarm_gateways_with_shared_jobs_have_one_port_each_on_a_node_of_its_own() -> None:
    given = {"GATEWAY_REPLICAS": "3", "GATEWAY_PORT": "9000", "JOBS_NODE": "node.hostname==one"}
    layered = swarm_services("shared-jobs", "swarm-shared-jobs", **given)
    gateway_, server = layered["gateway"], layered["jobs"]
    assert [(port["published"], port["mode"]) for port in gateway_["ports"]] == [(9000, "host")]
    assert gateway_["deploy"]["replicas"] == 3
    assert gateway_["deploy"]["placement"]["max_replicas_per_node"] == 1
    assert gateway_["environment"]["GATEWAY_PUBLISH"] == "0.0.0.0:9000"
    assert gateway_["environment"]["JOBS_URL"] == "valkey://jobs:6379/0"
    assert server["deploy"]["placement"]["constraints"] == ["node.hostname==one"]
    assert not server["ports"]
    networks = project("swarm", "shared-jobs", "swarm-shared-jobs")["networks"]
    assert (networks["jobs"]["driver"], networks["jobs"]["internal"]) == ("overlay", True)


def test_on_a_swarm_shared_jobs_need_the_layer_for_it() -> None:
    with pytest.raises(Untranslatable, match="take swarm-shared-jobs"):
        swarm_services("shared-jobs")


def test_on_a_swarm_stages_are_where_the_gpus_are() -> None:
    layered = swarm_services("swarm-gpu")
    constraints = {name: one["deploy"]["placement"].get("constraints") for name, one in layered.items()}
    gpu = ["node.labels.gpu == true"]
    assert {name for name in STAGES if constraints[name] == gpu} == {"diffusion", "inpainting"}
    assert {name for name in STAGES if constraints[name] is None} == {"text-encoder", "decoder"}


MODEL_SETTINGS = {
    "SD_VERSION": "1.4",
    "MODEL": "/models/my.safetensors",
    "VAE": "/models/vae.safetensors",
    "LORA": "/models/style.safetensors:0.8",
    "ALLOW_PICKLE": "1",
    "PREDICTION_TYPE": "v_prediction",
    "DTYPE": "bfloat16",
    "MAX_COMPILED_SIZES": "2",
    "BATCH_ROWS": "8",
    "HF_ENDPOINT": "https://hub.example",
    "HF_TOKEN": "hf_x",
    "HF_HUB_OFFLINE": "1",
}


def test_every_stage_gets_the_settings_of_the_model() -> None:
    described = services("ports", **MODEL_SETTINGS)
    for stage in (*STAGES, "all-in-one"):
        assert MODEL_SETTINGS.items() <= described[stage]["environment"].items()


def test_inpainting_may_have_a_model_of_its_own() -> None:
    described = services(MODEL="/models/a.safetensors", INPAINTING_MODEL="/models/b.safetensors")
    models = {stage: described[stage]["environment"]["MODEL"] for stage in STAGES}
    assert models == {**dict.fromkeys(STAGES, "/models/a.safetensors"), "inpainting": "/models/b.safetensors"}


def test_a_setting_of_the_model_that_is_not_set_is_left_to_the_stage() -> None:
    environment = services()["diffusion"]["environment"]
    assert {environment[name] for name in MODEL_SETTINGS} == {None}


def folder_of_models(service: dict[str, Any]) -> dict[str, Any]:
    mounts: dict[str, dict[str, Any]] = {volume["target"]: volume for volume in service["volumes"]}
    return mounts["/models"]


@pytest.mark.parametrize("folder", ["sd", "./sd", "/data/sd"])
def test_a_folder_of_models_is_seen_by_every_stage_and_changed_by_none(folder: str) -> None:
    described = services("ports", MODELS_DIR=folder)
    for stage in (*STAGES, "all-in-one"):
        mount = folder_of_models(described[stage])
        assert (mount["type"], mount["source"], mount["read_only"]) == ("bind", str(ROOT / folder), True)
    assert folder_of_models(services()["decoder"])["source"] == str(ROOT / "models")


def backends(*overlays: str, **environment: str) -> dict[str, str]:
    described = services("ports", *overlays, **environment)
    return {stage: described[stage]["environment"]["KERAS_BACKEND"] for stage in (*STAGES, "all-in-one")}


def test_every_stage_has_a_backend_of_its_own() -> None:
    by_default = backends()
    assert by_default == {
        "text-encoder": "openvino",
        "diffusion": "openvino",
        "inpainting": "openvino",
        "decoder": "openvino",
        "all-in-one": "openvino",
    }
    for stage in by_default:
        variable = f"{stage.upper().replace('-', '_')}_BACKEND"
        assert backends(**{variable: "chosen"}) == {**by_default, stage: "chosen"}


@pytest.mark.parametrize(
    ("overlays", "backend"),
    [
        (("gpu",), "tensorflow"),
        (("jax",), "jax"),
        (("torch",), "torch"),
        (("gpu", "torch"), "torch"),
    ],
)
def test_an_image_with_one_backend_uses_that(overlays: tuple[str, ...], backend: str) -> None:
    assert set(backends(*overlays, DIFFUSION_BACKEND="openvino").values()) == {backend}


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_is_another_image(backend: str) -> None:
    layered = services("ports", backend)
    for stage in (*STAGES, "all-in-one"):
        assert layered[stage]["image"] == f"triptych-stage:dev-{backend}"
    for stage in ("text-encoder", "all-in-one"):
        assert layered[stage]["build"]["args"] == {"BACKEND": backend}
    assert layered["gateway"]["image"] == "triptych-gateway:dev"


def test_all_in_one_runs_alone() -> None:
    layered = services("all-in-one")
    assert set(layered) == {"all-in-one", "gateway"}
    urls = {name: url for name, url in layered["gateway"]["environment"].items() if name.endswith("_URL")}
    assert {name: url for name, url in urls.items() if url} == {"ALL_IN_ONE_URL": "http://all-in-one:8000"}


def test_everything_in_one_endpoint_leaves_the_gateway_alone() -> None:
    assert "set ALL_IN_ONE_URL to the address" in configured("all-in-one-remote").stderr
    layered = services("all-in-one-remote", ALL_IN_ONE_URL="https://elsewhere.example")
    assert set(layered) == {"gateway"}
    urls = {name: url for name, url in layered["gateway"]["environment"].items() if name.endswith("_URL")}
    assert {name: url for name, url in urls.items() if url} == {"ALL_IN_ONE_URL": "https://elsewhere.example"}


def test_three_or_four_endpoints_leave_the_gateway_alone() -> None:
    three = {f"{name}_URL": f"https://{name}.example" for name in ("TEXT_ENCODER", "DIFFUSION", "DECODER")}
    four = {**three, "INPAINTING_URL": "https://INPAINTING.example"}
    for variable in three:
        missing = configured("endpoints", **{name: url for name, url in three.items() if name != variable})
        assert f"set {variable} to the address" in missing.stderr
    for urls in (three, four):
        layered = services("endpoints", **urls)
        assert set(layered) == {"gateway"}
        given = {
            name: url for name, url in layered["gateway"]["environment"].items() if name.endswith("_URL")
        }
        assert {name: url for name, url in given.items() if url} == urls


def test_the_gpu_overlay_reserves_a_gpu_for_every_stage_and_builds_for_it() -> None:
    layered = services("gpu")
    for stage in STAGES:
        assert layered[stage]["deploy"]["resources"]["reservations"]["devices"][0]["driver"] == "nvidia"
        assert layered[stage]["image"].endswith("-gpu")
    assert layered["text-encoder"]["build"]["args"] == {"DEVICE": "gpu"}
    assert "deploy" not in layered["gateway"]


@pytest.mark.parametrize(
    "overlays",
    [
        ("ports",),
        ("ports", "gpu"),
        ("ports", "jax"),
        ("ports", "torch"),
        ("all-in-one",),
        ("one-unet",),
        ("fine-tuned",),
        ("tls", "keys"),
    ],
)
def test_no_service_may_more_than_it_needs(overlays: tuple[str, ...]) -> None:
    for name, service in services(*overlays, DOMAIN="pictures.example", **TUNED).items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert not service.get("cap_add") and not service.get("privileged"), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"] == "10001:10001", name
        assert service["mem_limit"], name
        assert service["healthcheck"]["test"][0] == "CMD", name


def test_a_layer_watches_all_of_it_and_every_service_sends_its_traces() -> None:
    layered = services("observability", "ports")
    watchers = {"prometheus", "grafana", "jaeger"}
    assert set(layered) == {*STAGES, "all-in-one", "gateway", *watchers}
    for name in (*STAGES, "all-in-one", "gateway"):
        assert layered[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://jaeger:4318"
    for name in watchers:
        assert re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+", layered[name]["image"])
        assert {host for host, _ in addresses(layered[name])} == {"127.0.0.1"}
        for volume in layered[name].get("volumes", []):
            assert volume["type"] != "bind" or Path(volume["source"]).is_file()


def test_prometheus_reads_all_of_it_where_there_are_keys_and_a_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    layered = services("observability", "keys", "ports", STAGE_SECRET="ours")
    (tmp_path / "keys").write_text(line_of("ann", "secret"))
    here = {"GATEWAY_KEYS_FILE": str(tmp_path / "keys"), "JOBS_DIR": str(tmp_path)}
    for service in layered.values():
        service.setdefault("environment", {}).update(here, OTEL_EXPORTER_OTLP_ENDPOINT="")
    with TestClient(gateway.app.create_app(settings_in(monkeypatch, layered["gateway"]))) as client:
        assert client.get("/metrics").status_code == 200
        assert client.get("/v1/stages").status_code == 401
    for name in (*STAGES, "all-in-one"):
        stage = TestClient(host.app.create_app(stage_settings_in(monkeypatch, layered[name])))
        assert stage.get("/metrics").status_code == 200, name
        assert stage.get("/info").status_code == 401, name


def test_the_proxy_keeps_what_prometheus_reads_from_the_internet() -> None:
    directives = map(str.split, (ROOT / "compose/Caddyfile").read_text().splitlines())
    assert ["respond", "/metrics", "404"] in [words[:3] for words in directives]


def test_one_unet_can_serve_diffusion_and_inpainting() -> None:
    described = services("one-unet")
    assert set(described) == {*STAGES, "gateway"} - {"inpainting"}
    assert described["diffusion"]["environment"]["FACADES"] == "inpainting"
    assert described["gateway"]["environment"]["INPAINTING_URL"] == "http://diffusion:8000/inpainting"


def test_a_fine_tuned_model_is_beside_the_standard_one_and_has_a_name() -> None:
    assert "set FINE_TUNED_MODEL to the weights" in configured("fine-tuned").stderr
    standard = {"MODEL": "/models/a.safetensors", "LORA": "/models/style.safetensors", "DTYPE": "bfloat16"}
    described = services("fine-tuned", **standard, **TUNED, FINE_TUNED_NAME="anime")
    assert set(described) == {*STAGES, "fine-tuned", "gateway"}
    environment = described["fine-tuned"]["environment"]
    asked = {"STAGE": "diffusion", "MODEL": "/models/tuned.safetensors", "LORA": "", "DTYPE": "bfloat16"}
    assert asked.items() <= environment.items()
    assert standard.items() <= described["diffusion"]["environment"].items()
    assert environment["KERAS_BACKEND"] == described["diffusion"]["environment"]["KERAS_BACKEND"]
    urls = described["gateway"]["environment"]
    assert urls["DIFFUSION_URL__anime"] == "http://fine-tuned:8000"
    assert urls["DIFFUSION_URL"] == "http://diffusion:8000"
    assert "DIFFUSION_URL__fine_tuned" in services("fine-tuned", **TUNED)["gateway"]["environment"]


def test_a_fine_tuned_model_may_be_of_a_published_version_and_have_loras() -> None:
    given = {
        "FINE_TUNED_MODEL": "",
        "FINE_TUNED_SD_VERSION": "1.4",
        "FINE_TUNED_LORA": "/models/b.safetensors",
    }
    described = services("fine-tuned", **given, MODEL="/models/a.safetensors")
    asked = {"MODEL": "", "SD_VERSION": "1.4", "LORA": "/models/b.safetensors"}
    assert asked.items() <= described["fine-tuned"]["environment"].items()


@pytest.mark.parametrize("overlay", ["gpu", "jax", "torch", "observability"])
def test_what_a_layer_does_with_the_diffusion_stage_it_does_with_a_fine_tuned_one(overlay: str) -> None:
    described = services("fine-tuned", overlay, **TUNED)
    standard, tuned = described["diffusion"], described["fine-tuned"]
    for part in ("image", "deploy", "volumes", "mem_limit"):
        assert tuned.get(part) == standard.get(part), part
    environment = tuned["environment"]
    differing = {name for name, value in standard["environment"].items() if environment[name] != value}
    assert differing <= {"MODEL", "LORA", "SD_VERSION"}


BASE = re.compile(r"^\s*(?:FROM |ARG PYTHON_IMAGE=)(\S+)", re.MULTILINE)


def test_every_base_image_is_named_by_its_version() -> None:
    """A release of the language and one of the system, and never whatever is the latest."""
    files = [*ROOT.glob("*/Dockerfile"), *ROOT.glob("compose/*.yaml")]
    bases = {base for file in files for base in BASE.findall(file.read_text())}
    assert bases == {"$PYTHON_IMAGE", "python:3.11-slim-bookworm", "caddy:2.10.2-alpine"}


@pytest.mark.parametrize("overlays", [(), ("gpu",), ("jax",), ("all-in-one",)])
def test_images_are_built_on_the_base_that_the_operator_names(overlays: tuple[str, ...]) -> None:
    pinned = "registry.example/python:3.11-slim-bookworm@sha256:0123"
    for name, service in services(*overlays, PYTHON_IMAGE=pinned).items():
        if "build" in service:
            assert service["build"]["args"]["PYTHON_IMAGE"] == pinned, name
    assert "args" not in services(*overlays)["gateway"]["build"]  # and so the Dockerfile's own


def test_every_image_has_a_user_without_rights() -> None:
    for file in ROOT.glob("*/Dockerfile"):
        assert re.search(r"^USER triptych$", file.read_text(), re.MULTILINE), file
