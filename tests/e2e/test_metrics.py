"""The metrics of a running stack, as a real Prometheus scrapes them; every query that people are shown."""

import re
import shutil
import time
from collections.abc import Iterator

import pytest
import requests

from tests.conftest import StageUrl
from tests.observability.prometheus import Prometheus, running_prometheus
from tests.observability.queries import alert_queries, panel_queries, queries
from tests.running import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed")

STAGES = ("text_encoder", "diffusion", "inpainting", "decoder")
QUIET = {"Errors and retries"}
"""Panels that show nothing where all is well."""
ONLY_WHEN_IT_GOES_WRONG = {"triptych_stage_errors_total", "triptych_stage_retries_total"}
DOCUMENT = ROOT / "docs" / "operations" / "evidence.md"


@pytest.fixture(scope="module")
def prometheus(
    gateway_url: str, stage_url: StageUrl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """It has seen the stack before and after a picture was made twice, the second time of what was kept."""
    targets = {"gateway": {"": gateway_url}, "stage": {stage: stage_url(stage) for stage in STAGES}}
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), targets) as prometheus:
        prometheus.wait("count(up == 1) == 5")
        before = prometheus.ask('triptych_requests_total{route="/v1/txt2img", status="200"}')
        made = before[0][1] if before else 0
        body = {"prompt": "a yellow heart", "seed": 4711, "steps": 4}
        for _ in range(2):
            assert requests.post(f"{gateway_url}/v1/txt2img", json=body, timeout=60).status_code == 200
        job = {"kind": "txt2img", "request": body}
        assert requests.post(f"{gateway_url}/v1/jobs", json=job, timeout=60).status_code == 202
        prometheus.wait('triptych_jobs_ended_total{state="done"} > 0')
        prometheus.wait(f'triptych_requests_total{{route="/v1/txt2img", status="200"}} == {made + 2}')
        prometheus.wait("count(rate(stage_unet_rows_count[1m])) > 0")
        prometheus.wait('rate(triptych_requests_total{route="/v1/txt2img", status="200"}[1m])')
        prometheus.wait("count(triptych_jobs_bytes) > 0")
        yield prometheus


@pytest.mark.parametrize("title", panel_queries())
def test_every_query_of_the_dashboard_finds_something_after_a_picture(
    prometheus: Prometheus, title: str
) -> None:
    for query in panel_queries()[title]:
        if title in QUIET:
            prometheus.ask(query)
        else:
            prometheus.wait(query)  # a rate needs a second scrape


def test_no_alert_comes_while_all_is_well_and_each_can_be_evaluated(prometheus: Prometheus) -> None:
    assert set(prometheus.rules().values()) == {"ok"}
    for name, query in alert_queries().items():
        assert prometheus.ask(query) == [], name


def test_every_metric_that_is_asked_for_is_exported(prometheus: Prometheus) -> None:
    """An alert with a name that nobody exports would never come."""
    exported = {labels["__name__"] for labels, _ in prometheus.ask('{job=~"gateway|stage"}')}
    for query in queries():
        names = set(re.findall(r"\b(?:up\b|(?:triptych|stage|inf|process)_\w+)(?=[{\[ )]|$)", query))
        assert names and names - ONLY_WHEN_IT_GOES_WRONG <= exported, query


def test_a_picture_counts_once_in_every_stage_and_two_rows_where_it_is_guided(
    prometheus: Prometheus, gateway_url: str
) -> None:
    def made() -> dict[str, float]:
        samples = prometheus.ask("stage_computing_seconds_count")
        return {labels["stage"]: value for labels, value in samples}

    time.sleep(1.5)  # what other tests had made is scraped
    before = made()
    body = {"prompt": "a yellow heart", "seed": 4712, "steps": 4}
    steps, rows = (prometheus.value(f"sum(stage_unet_{what})") for what in ("seconds_count", "rows_sum"))
    requests.post(f"{gateway_url}/v1/txt2img", json=body, timeout=60)
    for stage in ("text_encoder", "diffusion", "decoder"):
        prometheus.wait(f'stage_computing_seconds_count{{stage="{stage}"}} > {before[stage]}')
    assert made() == {stage: count + (stage != "inpainting") for stage, count in before.items()}
    assert prometheus.value("sum(stage_unet_seconds_count)") == steps + 4
    assert prometheus.value("sum(stage_unet_rows_sum)") == rows + 2 * 4


def test_what_is_kept_is_found(prometheus: Prometheus) -> None:
    found = {
        labels["cache"] for labels, value in prometheus.ask('stage_cache_lookups_total{result="hit"} > 0')
    }
    assert found == {"contexts", "latents", "pictures"}
    compiled = {labels["part"] for labels, _ in prometheus.ask("stage_programs_compiled_total > 0")}
    assert {"text_encoder", "diffusion", "decoder"} <= compiled
    assert prometheus.ask('triptych_replica_breaker{stage="diffusion", state="closed"} == 1')


def test_every_metric_is_documented_with_its_labels_and_nothing_else(prometheus: Prometheus) -> None:
    exported: dict[str, set[str]] = {}
    for labels, _ in prometheus.ask('{job=~"gateway|stage"}'):
        name = re.sub(r"_(bucket|sum|count)$", "", labels["__name__"])
        if not name.endswith("_created") and name.startswith(("triptych_", "stage_", "inf_")):
            own = {*labels} - (
                {"__name__", "job", "instance", "le"} | ({"stage"} if labels["job"] == "stage" else set())
            )
            exported.setdefault(name, set()).update(own)
    rows = re.findall(r"^\| `((?:triptych|stage|inf)_\w+)` \| ([^|]*)\|", DOCUMENT.read_text(), re.MULTILINE)
    documented = {name: set(re.findall(r"\w+", labels)) for name, labels in rows}
    seen = {name: labels for name, labels in documented.items() if name not in ONLY_WHEN_IT_GOES_WRONG}
    assert {name: labels for name, labels in exported.items() if name not in ONLY_WHEN_IT_GOES_WRONG} == seen
    assert set(documented) > ONLY_WHEN_IT_GOES_WRONG
