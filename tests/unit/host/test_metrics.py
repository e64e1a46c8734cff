"""What a server counts of the library's work, and of its own queue."""

import json
import re
import sys
import threading
from collections.abc import Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families

from host.metrics import Metrics
from host.reporter import Reporter
from host.vitals import memory_limit, memory_used
from triptych.evidence import UNSEEN, evidence_of
from triptych.weights import unreported

from .conftest import Process, Serve, metric, wait_until

SLOW = """
import threading

GATE = threading.Event()

class EndpointHandler:
    def __init__(self, path="", report=None):
        report.evidence.looked_up("contexts", True)
        report.evidence.exhausted()

    def __call__(self, data):
        return GATE.wait(20)
"""


LOGS = """
import logging

class EndpointHandler:
    def __init__(self, path=""):
        pass

    def __call__(self, data):
        logging.getLogger("library").warning("from the handler")
        return "done"
"""


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(metrics.text().decode())
    samples = [one for family in families for one in family.samples if one.name == name]
    return sum(one.value for one in samples if labels.items() <= one.labels.items())


def test_the_library_finds_where_to_tell_in_what_a_handler_reports_to() -> None:
    metrics = Metrics()
    reported: list[str] = []
    report = Reporter(lambda state, progress: reported.append(state), metrics)
    report("loading")
    assert reported == ["loading"]
    evidence = evidence_of(report)
    evidence.looked_up("latents", True)
    evidence.looked_up("latents", False)
    evidence.called(4, 0.25)
    evidence.compiled("decoder", 2.0)
    evidence.exhausted()
    assert sample(metrics, "stage_cache_lookups_total", cache="latents", result="hit") == 1
    assert sample(metrics, "stage_cache_lookups_total", cache="latents", result="miss") == 1
    assert sample(metrics, "stage_unet_rows_sum") == 4
    assert sample(metrics, "stage_unet_seconds_sum") == 0.25
    assert sample(metrics, "stage_programs_compiled_total", part="decoder") == 1
    assert sample(metrics, "stage_compiling_seconds_total", part="decoder") == 2
    assert sample(metrics, "stage_out_of_memory_total") == 1
    assert evidence_of(unreported) is UNSEEN


def test_a_handler_is_given_where_to_tell_and_the_oldest_in_the_queue_grows_old(serve: Serve) -> None:
    client = serve(SLOW)
    assert metric(client, "stage_out_of_memory_total") == 1
    assert metric(client, "stage_queue_oldest_seconds") == 0

    def post(inputs: str) -> None:
        httpx.post(f"{client.base_url}/", json={"inputs": inputs}, timeout=30)

    threads = [threading.Thread(target=post, args=[word]) for word in ("wait", "wait too")]
    for thread in threads:
        thread.start()
    wait_until(lambda: metric(client, "inf_queue_size") == 1)
    wait_until(lambda: metric(client, "stage_queue_oldest_seconds") > 0.1)
    queue = client.get("/ready").json()["queue"]
    assert (queue["waiting"], queue["limit"]) == (1, 64)
    assert queue["oldest_seconds"] > 0.1
    sys.modules["handler"].GATE.set()
    for thread in threads:
        thread.join()
    assert metric(client, "stage_computing_seconds_count") == 2
    assert metric(client, "stage_waiting_seconds_sum") > 0.1


def test_the_server_says_what_it_holds_and_may(serve: Serve) -> None:
    memory = serve().get("/ready").json()["memory"]
    used, limit = memory_used(), memory_limit()
    assert used is not None
    assert limit is not None
    assert 0.5 * used < memory["used_bytes"] < limit == memory["limit_bytes"]


def test_every_line_about_a_request_has_its_id(process: Callable[..., Process]) -> None:
    server = process(LOGS)
    server.client.post("/", json={"inputs": "x"}, headers={"x-request-id": "caller-7"})
    server.popen.terminate()
    _, log = server.finish(15)
    lines = [json.loads(line) for line in log.splitlines()]
    events = [line["event"] for line in lines if line.get("request_id") == "caller-7"]
    assert events == ["from the handler", "request"]


def test_the_log_can_be_for_people(process: Callable[..., Process]) -> None:
    server = process(LOGS, LOG_FORMAT="text")
    server.client.post("/", json={"inputs": "x"}, headers={"x-request-id": "caller-7"})
    server.popen.terminate()
    _, log = server.finish(15)
    assert re.search(r"Z info echo request .*status=200 .*request_id=\"caller-7\"", log)
