"""What is wrong with a running stack, as far as its gateway shows it."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from .checks import Finding, check_fit, check_jobs, check_metrics, check_replica, check_ways
from .errors import Failed, from_answer
from .exposition import read_metrics
from .gateway import Gateway

SKEW_SECONDS = 10.0
"""The header `Date` has whole seconds, and an answer may take some."""
LATEST_JOBS = 20


class Unreachable(Failed):
    """No gateway answers, so nothing can be said of the stack."""

    status = 2


@dataclass(frozen=True)
class Diagnosis:
    """What was found, worst first as far as one follows from another."""

    url: str
    stages: int
    replicas: int
    findings: list[Finding]

    def as_json(self) -> dict[str, Any]:
        findings = [asdict(finding) for finding in self.findings]
        return {"url": self.url, "healthy": not findings, "findings": findings}


def examine(gateway: Gateway) -> Diagnosis:
    """Looks at every route that says something. Raises Unreachable where none does."""
    try:
        stages = gateway.look("/v1/stages")
    except Failed as error:
        raise Unreachable(str(error), error.details) from None
    if stages.status_code not in (200, 401, 403):
        said = from_answer(stages.status_code, _object(stages))
        raise Unreachable(f"{gateway.url} is not a gateway that works: {said}", said.details)
    told = _list(stages)
    findings = [*_check_clock(stages), *_refused(stages), *check_ways(told, stages.status_code == 200)]
    for stage in told:
        for replica in stage["replicas"]:
            findings += check_replica(stage, replica)
    findings += check_fit(told)
    for path, check in (("/metrics", _check_metrics), (f"/v1/jobs?limit={LATEST_JOBS}", _check_jobs)):
        response = gateway.look(path)
        findings += [*_refused(response), *check(response)]
    return Diagnosis(gateway.url, len(told), sum(len(stage["replicas"]) for stage in told), findings)


def _refused(response: httpx.Response) -> Iterator[Finding]:
    if response.status_code in (401, 403):
        yield Finding(
            "gateway",
            f"The gateway does not say {response.request.url.path} without a key that may see it "
            f"({response.status_code}).",
            "Set TRIPTYCH_KEY to one of its keys.",
        )


def _check_clock(response: httpx.Response) -> Iterator[Finding]:
    """Whether the gateway's machine and this one have the same time."""
    try:
        there = parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return
    skew = there - time.time()
    if abs(skew) > SKEW_SECONDS:
        yield Finding(
            "clock",
            f"The gateway's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the one here.",
            "Have both set by NTP: times in logs and traces do not fit, and signed webhooks are refused.",
        )


def _check_metrics(response: httpx.Response) -> Iterator[Finding]:
    if response.status_code == 200:
        yield from check_metrics(read_metrics(response.text))


def _check_jobs(response: httpx.Response) -> Iterator[Finding]:
    if response.status_code == 200:
        yield from check_jobs(_object(response).get("jobs", []))


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _list(response: httpx.Response) -> list[dict[str, Any]]:
    """The stages. Raises Unreachable where it is no gateway that answers."""
    if response.status_code != 200:
        return []
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, list) or not all(
        isinstance(stage, dict) and "replicas" in stage for stage in body
    ):
        raise Unreachable(f"{response.request.url} is not the gateway: {response.text[:100]!r}")
    return body
