"""Every query of the dashboard and of the alerts."""

import json

import yaml

from tests.running import ROOT

FOLDER = ROOT / "compose" / "observability"
DASHBOARD = FOLDER / "dashboard.json"


def panel_queries() -> dict[str, list[str]]:
    """Those of the dashboard, by the panel's title, as Grafana sends them for half an hour."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return {
        panel["title"]: [target["expr"].replace("$__rate_interval", "1m") for target in panel["targets"]]
        for panel in panels
    }


def alert_queries() -> dict[str, str]:
    """The conditions of the alerts, by name."""
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def queries() -> list[str]:
    """All of them."""
    return [*alert_queries().values(), *(query for panel in panel_queries().values() for query in panel)]
