"""The files of compose/observability.yaml: what Prometheus is told to look at, and when it alerts."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.observability.queries import DASHBOARD, FOLDER, alert_queries, queries
from tests.running import ROOT

TESTS = Path(__file__).parent / "alerts.yaml"

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")


def promtool(*arguments: object) -> None:
    ended = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@needs_promtool
def test_prometheus_takes_its_configuration_and_its_rules() -> None:
    promtool("check", "config", FOLDER / "prometheus.yaml")


@needs_promtool
def test_the_alerts_come_when_they_should_and_not_before() -> None:
    promtool("test", "rules", TESTS)


def test_every_alert_is_tested() -> None:
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"][0]["rules"]
    tested = {
        case["alertname"] for test in yaml.safe_load(TESTS.read_text())["tests"] for case in _firing(test)
    }
    assert {rule["alert"] for rule in rules} == tested
    assert all(set(rule["annotations"]) == {"summary", "todo"} for rule in rules)


def _firing(test: dict[str, list[dict[str, str]]]) -> Iterator[dict[str, str]]:
    return (case for case in test["alert_rule_test"] if case["exp_alerts"])


def test_every_panel_asks_the_data_source_that_is_provisioned() -> None:
    sources = yaml.safe_load((FOLDER / "grafana/datasources.yaml").read_text())["datasources"]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"prometheus"}
    assert "prometheus" in {source["uid"] for source in sources}
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["description"] for panel in panels)


def test_what_is_asked_for_is_documented() -> None:
    text = (ROOT / "docs/operations/evidence.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))
    asked = {name for query in queries() for name in re.findall(r"\b(?:triptych|stage|inf)_\w+", query)}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} <= documented


def test_every_alert_is_documented() -> None:
    text = (ROOT / "docs/operations/evidence.md").read_text()
    rows = re.findall(r"^\| ((?:`[A-Z]\w+`,? ?)+)\|", text, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"\w+", row)} == set(alert_queries())
