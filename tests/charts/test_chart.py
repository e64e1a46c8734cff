"""The chart, rendered by helm: valid for Kubernetes' own schemas, and what Triptych needs of it."""

import os
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from starlette.testclient import TestClient

import gateway.settings
import host.app
import host.settings
from triptych.selection import SETTINGS

from .conftest import CHART, NAME, Helm, Manifest, Manifests, Render, template

STAGES = ("text-encoder", "diffusion", "inpainting", "decoder")
VERSIONS = ("1.30", "1.37")
ENDPOINT = "https://x.endpoints.huggingface.cloud"
VALUES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "everything": {
        "image": {"registry": "registry.example/", "tag": "1.0", "pullSecrets": ["registry"]},
        "stageEnv": {"SD_VERSION": "1.4", "MAX_QUEUE": 8},
        "stages": {
            "diffusion": {
                "variant": "-gpu",
                "backend": "tensorflow",
                "gpu": {"count": 1},
                "nodeSelector": {"gpu": "true"},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                "autoscaling": {"kind": "keda"},
                "fallback": ENDPOINT,
            },
            "inpainting": {"autoscaling": {"kind": "hpa"}},
            "decoder": {"url": ENDPOINT},
        },
        "gateway": {
            "env": {"MAX_CONCURRENT_REQUESTS": 64},
            "jobs": {"size": "2Gi", "storageClass": "fast"},
            "ingress": {"enabled": True, "className": "nginx", "host": "draw.example", "tlsSecret": "tls"},
        },
        "secret": {"name": "tokens", "variables": ["HF_TOKEN", "DECODER_TOKEN"]},
        "weights": {"size": "20Gi", "storageClass": "nfs"},
        "modelsClaim": "models",
        "networkPolicy": {"alsoFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]},
    },
    "several gateways": {
        "gateway": {"replicas": 3, "env": {"JOBS_URL": "redis://jobs:6379"}},
        "secret": {"name": "tokens", "variables": ["GATEWAY_KEYS", "JOBS_PASSWORD"]},
    },
    "all in one": {
        "stages": {"all-in-one": {"enabled": True}, **{stage: {"enabled": False} for stage in STAGES}}
    },
}


@pytest.fixture(scope="module")
def plain(render: Render) -> Manifests:
    """The chart as it is."""
    return render()


@pytest.fixture(scope="module")
def full(render: Render) -> Manifests:
    """The chart with everything that it can do."""
    return render(VALUES["everything"])


def test_helm_finds_nothing_wrong(helm: Helm) -> None:
    ended = helm("lint", "--strict", str(CHART), "--set", "gateway.env.GATEWAY_KEYS=none")
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", VALUES)
def test_every_object_is_as_kubernetes_has_it(render: Render, values: str, version: str) -> None:
    for manifest in render(VALUES[values]):
        if manifest["kind"] != "ScaledObject":  # KEDA's, which these schemas do not have
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("stage", STAGES)
def test_the_gateway_finds_a_stage_by_a_name_with_every_replicas_address(
    plain: Manifests, stage: str
) -> None:
    variable = f"{stage.upper().replace('-', '_')}_URL"
    assert plain.environment("gateway")[variable] == f"http://{NAME}-{stage}:8000"
    service = plain.of("Service")[stage]["spec"]
    assert service["clusterIP"] == "None"
    assert "publishNotReadyAddresses" not in service
    pod = plain.pods()[stage]
    assert service["selector"].items() <= pod["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
    assert ports[service["ports"][0]["targetPort"]] == service["ports"][0]["port"] == 8000


def test_a_pod_is_asked_what_the_servers_answer(plain: Manifests) -> None:
    paths = {
        name: {probe: pod["spec"]["containers"][0][f"{probe}Probe"]["httpGet"]["path"] for probe in PROBES}
        for name, pod in plain.pods().items()
    }
    stage = {"startup": "/ready", "readiness": "/ready", "liveness": "/health"}
    assert paths == {**dict.fromkeys(STAGES, stage), "gateway": dict.fromkeys(PROBES, "/health")}


PROBES = ("startup", "readiness", "liveness")


@pytest.mark.parametrize("values", VALUES)
def test_every_variable_is_one_that_the_program_reads(render: Render, values: str) -> None:
    manifests = render(VALUES[values])
    stage = {*host.settings.Settings.model_fields, *map(str.lower, SETTINGS), "hf_token_path"}
    for name in manifests.pods():
        known = set(gateway.settings.Settings.model_fields)
        said = {variable.removesuffix("_FILE").lower() for variable in manifests.environment(name)}
        assert said <= (known if name == "gateway" else stage), name


@pytest.mark.parametrize(
    ("stage", "places"),
    [
        ({"url": ENDPOINT}, [ENDPOINT]),
        ({"url": f"http://gpu:8000;{ENDPOINT}"}, ["http://gpu:8000", ENDPOINT]),
        ({"fallback": ENDPOINT}, [f"http://{NAME}-diffusion:8000", ENDPOINT]),
    ],
)
def test_a_stage_elsewhere_is_asked_there(
    render: Render, monkeypatch: pytest.MonkeyPatch, stage: dict[str, str], places: list[str]
) -> None:
    manifests = render({"stages": {"diffusion": stage}})
    for name in filter(str.isupper, os.environ):
        if name.lower() in gateway.settings.Settings.model_fields:
            monkeypatch.delenv(name)
    for name, value in manifests.environment("gateway").items():
        monkeypatch.setenv(name, value)
    assert [place.url for place in gateway.settings.Settings().places("diffusion")] == places
    here = [one["kind"] for one in manifests if one["metadata"]["name"] == f"{NAME}-diffusion"]
    assert bool(here) == ("fallback" in stage)


@pytest.mark.parametrize("values", VALUES)
def test_no_container_has_rights(render: Render, values: str) -> None:
    for pod in render(VALUES[values]).pods().values():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["fsGroup"] == 10001
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_the_user_is_that_of_the_images() -> None:
    for image in ("services", "gateway"):
        dockerfile = (CHART.parent.parent / image / "Dockerfile").read_text()
        assert "useradd --uid 10001 " in dockerfile


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_reached_from_the_gateway_alone(plain: Manifests, stage: str) -> None:
    policy = plain.of("NetworkPolicy")[stage]["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    assert _selects(policy["podSelector"], plain.pods()[stage])
    (rule,) = policy["ingress"]
    (peer,) = rule["from"]
    reached_by = {name for name, pod in plain.pods().items() if _selects(peer["podSelector"], pod)}
    assert reached_by == {"gateway"}


def _selects(selector: Manifest, pod: Manifest) -> bool:
    wanted: dict[str, str] = selector["matchLabels"]
    labels: dict[str, str] = pod["metadata"]["labels"]
    return wanted.items() <= labels.items()


def test_another_release_in_the_namespace_is_not_selected(plain: Manifests) -> None:
    for kind in ("Service", "Deployment", "PodDisruptionBudget"):
        for manifest in plain.of(kind).values():
            selector = manifest["spec"]["selector"]
            assert selector.get("matchLabels", selector)["app.kubernetes.io/instance"] == "pictures"


def test_a_gpu_is_asked_for_where_the_values_say_so(full: Manifests) -> None:
    spec = full.pods()["diffusion"]["spec"]
    assert spec["nodeSelector"] == {"gpu": "true"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    container = spec["containers"][0]
    assert container["resources"]["limits"] == {"memory": "2Gi", "nvidia.com/gpu": 1}
    assert container["image"] == "registry.example/triptych-stage:1.0-gpu"
    assert "nvidia.com/gpu" not in full.pods()["inpainting"]["spec"]["containers"][0]["resources"]["limits"]


def test_who_scales_a_stage_says_how_many_there_are(full: Manifests) -> None:
    deployments = full.of("Deployment")
    assert "replicas" not in deployments["diffusion"]["spec"]
    assert "replicas" not in deployments["inpainting"]["spec"]
    assert deployments["text-encoder"]["spec"]["replicas"] == 1
    scaler = full.of("HorizontalPodAutoscaler")["inpainting"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == deployments["inpainting"]["metadata"]["name"]
    assert full.of("HorizontalPodAutoscaler").keys() == {"inpainting"}


def test_keda_counts_what_the_stages_show(full: Manifests) -> None:
    (scaled,) = full.of("ScaledObject").values()
    assert scaled["spec"]["scaleTargetRef"]["name"] == f"{NAME}-diffusion"
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["type"] == "prometheus"
    assert set(trigger["metadata"]) == {"serverAddress", "query", "threshold"}
    stage = host.app.create_app(host.settings.Settings(stage="diffusion"))
    shown = TestClient(stage).get("/metrics").text
    pattern = r'sum\((\w+)\{namespace="drawing",pod=~"([^"]+)"\}\)'
    found = re.findall(pattern, trigger["metadata"]["query"])
    assert [metric for metric, _ in found] == ["inf_queue_size", "inf_batch_current_size"]
    for metric, pods in found:
        assert f"\n{metric} " in shown
        assert re.fullmatch(pods, f"{NAME}-diffusion-7c9f8d6b5-abcde")
        assert not re.fullmatch(pods, f"{NAME}-decoder-7c9f8d6b5-abcde")


def test_tokens_are_files_and_stand_in_no_manifest(full: Manifests) -> None:
    environment = full.environment("gateway")
    assert environment["HF_TOKEN_FILE"] == "/run/secrets/triptych/HF_TOKEN"
    assert environment["DECODER_TOKEN_FILE"] == "/run/secrets/triptych/DECODER_TOKEN"
    assert "Secret" not in {manifest["kind"] for manifest in full}
    assert full.environment("diffusion")["HF_TOKEN_PATH"] == "/run/secrets/triptych/HF_TOKEN"
    volumes = {volume["name"]: volume for volume in full.pods()["diffusion"]["spec"]["volumes"]}
    assert volumes["tokens"]["secret"]["items"] == [{"key": "HF_TOKEN", "path": "HF_TOKEN"}]


def test_the_secret_of_the_stages_is_theirs_and_the_gateways(render: Render) -> None:
    manifests = render({"secret": {"name": "tokens", "variables": ["STAGE_SECRET", "DECODER_TOKEN"]}})
    for name, pod in manifests.pods().items():
        assert manifests.environment(name)["STAGE_SECRET_FILE"] == "/run/secrets/triptych/STAGE_SECRET"
        assert "/run/secrets/triptych" in _mounts(pod)
    volumes = {volume["name"]: volume for volume in manifests.pods()["decoder"]["spec"]["volumes"]}
    assert volumes["tokens"]["secret"]["items"] == [{"key": "STAGE_SECRET", "path": "STAGE_SECRET"}]
    assert "HF_TOKEN_PATH" not in manifests.environment("decoder")


def test_a_stage_that_is_to_know_no_secret_has_no_file_of_one(render: Render) -> None:
    manifests = render({"secret": {"name": "tokens", "variables": ["DECODER_TOKEN"]}})
    pods = manifests.pods()
    assert {name for name in pods if "/run/secrets/triptych" in _mounts(pods[name])} == {"gateway"}


def _mounts(pod: Manifest) -> set[str]:
    return {mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]}


def test_who_scrapes_what_is_annotated_needs_neither_key_nor_secret(render: Render, plain: Manifests) -> None:
    for name, pod in plain.pods().items():
        assert pod["metadata"]["annotations"]["prometheus.io/path"] == "/metrics"
        assert plain.environment(name)["METRICS_OPEN"] == "true"
        assert "METRICS_OPEN" not in render({"prometheus": {"annotations": False}}).environment(name)
    closed = render({"stageEnv": {"METRICS_OPEN": False}, "gateway": {"env": {"METRICS_OPEN": False}}})
    assert {closed.environment(name)["METRICS_OPEN"] for name in closed.pods()} == {"false"}


@pytest.mark.parametrize(
    "gateway",
    [{"ingress": {"enabled": True, "host": "draw.example"}}, {"service": {"type": "LoadBalancer"}}],
)
def test_who_comes_from_outside_the_cluster_reads_no_metrics_without_a_key(
    render: Render, gateway: dict[str, Any]
) -> None:
    manifests = render({"gateway": gateway})
    assert "METRICS_OPEN" not in manifests.environment("gateway")
    assert manifests.environment("decoder")["METRICS_OPEN"] == "true"
    chosen = render({"gateway": {**gateway, "env": {"METRICS_OPEN": "true"}}})
    assert chosen.environment("gateway")["METRICS_OPEN"] == "true"


def test_what_is_under_way_may_finish_before_a_pod_is_ended(plain: Manifests) -> None:
    for name, pod in plain.pods().items():
        left = pod["spec"]["terminationGracePeriodSeconds"]
        before = int(pod["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
        assert left > before + int(plain.environment(name)["STOP_TIMEOUT"])
        assert before > 5  # the gateway asks DNS so often


def test_a_stage_is_replaced_once_the_new_one_is_ready(plain: Manifests) -> None:
    for manifest in plain.of("Deployment").values():
        assert manifest["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_two_gateways_never_have_one_folder_of_jobs(full: Manifests) -> None:
    deployment = full.of("Deployment")["gateway"]["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}


def test_claims_outlive_the_release(full: Manifests) -> None:
    claims = full.of("PersistentVolumeClaim")
    assert claims.keys() == {"weights", "jobs"}
    for claim in claims.values():
        assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    mounted = {volume["name"]: volume for volume in full.pods()["text-encoder"]["spec"]["volumes"]}
    assert mounted["weights"]["persistentVolumeClaim"]["claimName"] == f"{NAME}-weights"
    assert mounted["models"]["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "who may use the gateway must be said"),
        ({"gateway": {"replicas": 2}}, "gateway.replicas above 1 needs gateway.env.JOBS_URL"),
        ({"secret": {"variables": ["HF_TOKEN"]}}, "secret.variables needs secret.name"),
        (
            {"gateway": {"env": {"GATEWAY_KEYS": "none"}, "ingress": {"enabled": True}}},
            "gateway.ingress.host must be",
        ),
        ({"stages": {"diffusion": {"replica": 2}}}, "replica"),
        ({"stages": {"difusion": {}}}, "difusion"),
        ({"image": {"registry": "registry.example"}}, "pattern"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    helm: Helm, tmp_path: Path, values: dict[str, Any], sentence: str
) -> None:
    ended = template(helm, values, tmp_path)
    assert ended.returncode != 0
    assert sentence in ended.stderr
