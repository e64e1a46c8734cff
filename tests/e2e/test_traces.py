"""One trace a picture, across gateway and stages, as a collector gets it."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.collector import Collector, Parent, Span
from tests.conftest import StageUrl
from tests.running import free_port, inherited_environment, running_gateway

PATH = ("text_encoder", "diffusion", "decoder")


def draw(gateway_url: str, parent: Parent, **request: Any) -> dict[str, Any]:
    body = {"prompt": "a blue heart", "steps": 3, **request}
    answer = requests.post(f"{gateway_url}/v1/txt2img", json=body, headers=parent.headers, timeout=60)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def children(spans: list[Span], parent: Span) -> list[Span]:
    return [span for span in spans if span.parent == parent.id]


def only(spans: list[Span], name: str) -> Span:
    (found,) = [span for span in spans if span.name == name]
    return found


def test_a_picture_is_one_trace_with_the_answers_evidence(gateway_url: str, collector: Collector) -> None:
    parent = Parent()
    answer = draw(gateway_url, parent, seed=815)
    spans = collector.trace(parent.trace, "POST /v1/txt2img", of=PATH)
    request = only(spans, "POST /v1/txt2img")
    assert (request.parent, request.kind, request.service) == (parent.span, "SERVER", "triptych-gateway")
    generate = only(children(spans, request), "generate")
    assert generate.attributes["triptych.steps"] == 3
    stages = children(spans, generate)
    assert [span.name for span in stages] == [f"stage {stage}" for stage in PATH]
    for span, told in zip(stages, answer["stages"], strict=True):
        known = {name: value for name, value in told.items() if value is not None and value != []}
        said = {name.removeprefix("triptych."): value for name, value in span.attributes.items()}
        assert {name: said[name] for name in known} == known
        attempt = only(children(spans, span), f"POST {told['stage']}")
        assert (attempt.kind, attempt.attributes["triptych.replica"]) == ("CLIENT", told["replica"])
        served = only(children(spans, attempt), "POST /")
        assert (served.kind, served.service) == ("SERVER", f"triptych-{told['stage']}")
        computing = only(children(spans, served), "compute")
        assert only(children(spans, served), "queue").ended <= computing.began
        assert computing.attributes["triptych.seconds_computing"] == told["seconds_computing"]


def test_the_trace_says_what_was_kept_and_how_a_batch_was_shared(
    gateway_url: str, collector: Collector
) -> None:
    def computed(parent: Parent, stage: str) -> dict[str, Any]:
        spans = collector.trace(parent.trace, "POST /v1/txt2img", of=PATH)
        return next(
            span.attributes
            for span in spans
            if span.name == "compute" and span.service == f"triptych-{stage}"
        )

    first, again = Parent(), Parent()
    for parent in (first, again):
        draw(gateway_url, parent, seed=816, prompt="a green heart")
    assert computed(first, "diffusion")["triptych.unet_calls"] == 3
    assert computed(first, "diffusion")["triptych.unet_rows"] == 2
    assert computed(first, "diffusion")["triptych.cache.latents.miss"] == 1
    assert computed(again, "text_encoder")["triptych.cache.contexts.hit"] == 1
    assert computed(again, "diffusion")["triptych.cache.latents.hit"] == 1
    assert computed(again, "diffusion")["triptych.unet_calls"] == 0
    assert computed(again, "decoder")["triptych.cache.pictures.hit"] == 1


def test_pictures_that_shared_calls_of_the_unet_are_linked(gateway_url: str, collector: Collector) -> None:
    parents = [Parent(), Parent()]
    unguided = {
        "steps": 60,
        "guidance_scale": 1,
    }  # a row each, of the two that the stages here compute at once
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(draw, gateway_url, one, seed=817 + n, **unguided) for n, one in enumerate(parents)
        ]
        assert all(future.result() for future in asked)
    traces = [collector.trace(parent.trace, "POST /v1/txt2img", of=PATH) for parent in parents]
    served, computing = (
        [only([span for span in spans if span.service == "triptych-diffusion"], name) for spans in traces]
        for name in ("POST /", "compute")
    )
    assert [span.links for span in computing] == [[served[1].id], [served[0].id]]


def test_a_job_goes_on_in_the_trace_of_who_handed_it_in(gateway_url: str, collector: Collector) -> None:
    parent = Parent()
    body = {"kind": "txt2img", "request": {"prompt": "a red apple", "steps": 2}}
    requests.post(f"{gateway_url}/v1/jobs", json=body, headers=parent.headers, timeout=60)
    spans = collector.trace(parent.trace, "POST /v1/jobs", "generate", "stage decoder")
    assert only(spans, "generate").parent == only(spans, "POST /v1/jobs").id


def test_every_attempt_is_a_span_and_one_that_failed_says_so(
    stage_url: StageUrl, collector: Collector, tmp_path: Path
) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    urls = {f"{stage.upper()}_URL": stage_url(stage) for stage in PATH}
    urls["DECODER_URLS"] = f"{gone},{urls.pop('DECODER_URL')}"
    log = tmp_path / "gateway.log"
    with running_gateway(log, **urls, INPAINTING_URL="", **collector.environment) as server:
        parent = Parent()
        (*_, told) = draw(server.url, parent)["stages"]
        spans = collector.trace(parent.trace, "stage decoder", "POST /v1/txt2img")
    whole = only(spans, "stage decoder")
    assert whole.attributes["triptych.attempts"] == told["attempts"] > 1
    attempts = children(spans, whole)
    assert [span.attributes["triptych.replica"] for span in attempts] == [gone, told["replica"]]
    assert [span.failed for span in attempts] == [True, False]
    line = next(line for line in map(json.loads, log.read_text().splitlines()) if "replica" in line)
    assert (line["message"], line["replica"]) == ("attempt failed", gone)
    assert line["trace_id"] == parent.trace
    assert line["request_id"]


@pytest.mark.parametrize("module", ["gateway.app", "host.app"])
def test_without_a_collector_the_sdk_is_not_even_loaded(module: str) -> None:
    script = (
        f"import sys, {module}; from triptych.tracing import Tracing; Tracing('x');"
        "names = 'opentelemetry.sdk', 'opentelemetry.exporter', 'requests';"
        "print([name for name in sys.modules if name.startswith(names)])"
    )
    command = [sys.executable, "-c", script]
    loaded = subprocess.run(command, env=inherited_environment(), capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
