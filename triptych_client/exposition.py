"""Prometheus' text format, as far as the gateway's own metrics need it."""

import re

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Metrics = dict[str, list[tuple[dict[str, str], float]]]
"""By name: (labels, value)."""


def read_metrics(text: str) -> Metrics:
    """The samples; a line that is none is left out."""
    found: Metrics = {}
    for line in text.splitlines():
        if sample := SAMPLE.match(line):
            name, labels, value = sample.groups()
            found.setdefault(name, []).append((dict(LABEL.findall(labels or "")), float(value)))
    return found
