"""A real Prometheus, which a test has scrape what it runs."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.observability.queries import FOLDER
from tests.running import free_port

START_SECONDS = 30
Sample = tuple[dict[str, str], float]


class Prometheus:
    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str) -> list[Sample]:
        """The series that the query finds now, by their labels."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=10).json()
        assert answer["status"] == "success", answer
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def value(self, query: str) -> float:
        """Of the one series that it finds."""
        ((_, value),) = self.ask(query)
        return value

    def rules(self) -> dict[str, str]:
        """The health of every rule, by its alert."""
        answer: Any = requests.get(f"{self.url}/api/v1/rules", timeout=10).json()
        return {rule["name"]: rule["health"] for group in answer["data"]["groups"] for rule in group["rules"]}

    def wait(self, query: str, seconds: float = START_SECONDS) -> None:
        """Until the query finds something."""
        until = time.monotonic() + seconds
        while not self.ask(query):
            assert time.monotonic() < until, f"{query} finds nothing"
            time.sleep(0.1)


@contextmanager
def running_prometheus(folder: Path, targets: Mapping[str, Mapping[str, str]]) -> Iterator[Prometheus]:
    """With the rules of compose/observability, scraping each second what `targets` has: by job, the label
    `stage` and the URL."""
    jobs = [
        {
            "job_name": job,
            "static_configs": [
                {"targets": [url.removeprefix("http://")], "labels": {"stage": stage} if stage else {}}
                for stage, url in urls.items()
            ],
        }
        for job, urls in targets.items()
    ]
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(FOLDER / "alerts.yaml")],
        "scrape_configs": jobs,
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        prometheus = Prometheus(f"http://127.0.0.1:{port}")
        _wait_until_ready(prometheus.url)
        yield prometheus
    finally:
        process.terminate()
        process.wait(15)


def _wait_until_ready(url: str) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            if requests.get(f"{url}/-/ready", timeout=2).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        assert time.monotonic() < until, "Prometheus does not start"
        time.sleep(0.1)
