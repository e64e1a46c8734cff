"""Jobs and a gateway that comes and goes."""

import base64
import errno
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse

from gateway.jobs.archive import DATABASE, Archive
from gateway.jobs.folder import Folder
from gateway.jobs.line import MAX_RUNS
from gateway.jobs.store import RESULT
from tests.unit.gateway.api.jobs.test_routes import ended, hand_in, look
from tests.unit.gateway.conftest import Fakes, ServedFakes, started
from tests.unit.gateway.fakes import serving, wait_until
from tests.unit.gateway.streams import StreamingStage


@pytest.fixture
def settings(fakes: Fakes, stage: StreamingStage, tmp_path: Path) -> Iterator[dict[str, Any]]:
    with serving(stage.app()) as url:
        yield {"diffusion_url": url, "jobs_dir": str(tmp_path / "jobs"), "max_concurrent_requests": 1}


def begun(gateway: httpx.Client, **request: Any) -> dict[str, Any]:
    """A job that has done a few steps."""
    job = hand_in(gateway, **request)
    wait_until(lambda: look(gateway, job)["step"] >= 12)
    return job


def test_jobs_outlive_the_gateway(
    served_fakes: ServedFakes, settings: dict[str, Any], stage: StreamingStage
) -> None:
    with started(served_fakes, **settings) as gateway:
        done = ended(gateway, hand_in(gateway, steps=2))
        result = gateway.get(done["links"]["result"]).json()["images"]
        running, waiting = begun(gateway, steps=40), hand_in(gateway, steps=3)
    assert look_at_state(settings, running) == ("queued", 0)
    with started(served_fakes, **settings) as gateway:
        assert look(gateway, done) == done
        assert gateway.get(done["links"]["result"]).json()["images"] == result
        assert ended(gateway, running)["state"] == "done"
        assert ended(gateway, waiting)["state"] == "done"
    assert [asked["num_steps"] for asked in stage.requests] == [2, 40, 40, 3]


def look_at_state(settings: dict[str, Any], job: dict[str, Any]) -> tuple[str, int]:
    """Of a job while there is no gateway."""
    with sqlite3.connect(Path(settings["jobs_dir"]) / DATABASE) as database:
        (row,) = database.execute("SELECT state, runs FROM jobs WHERE id = ?", [job["id"]])
    database.close()
    return row[0], row[1]


def test_a_job_that_ran_goes_on_from_the_newest_state(
    served_fakes: ServedFakes, settings: dict[str, Any], stage: StreamingStage
) -> None:
    with started(served_fakes, **settings) as gateway:
        job = begun(gateway, steps=40)
    steps, stage.steps = stage.steps[-1], []
    with started(served_fakes, **settings) as gateway:
        ended(gateway, job)
        resumed_at = gateway.get(job["links"]["result"]).json()["stages"][1]["resumed_at"]
    assert resumed_at[0] in (
        steps - steps % 5,
        steps - steps % 5 - 5,
    )  # the last may not have been told any more
    assert stage.steps == list(range(resumed_at[0] + 1, 41))


def test_a_state_that_the_stage_does_not_take_any_more_costs_the_steps_and_nothing_else(
    served_fakes: ServedFakes, settings: dict[str, Any], stage: StreamingStage
) -> None:
    with started(served_fakes, **settings) as gateway:
        job = begun(gateway, steps=20)
    stage.refuses, stage.steps = "resume must be a state of this sampler", []
    with started(served_fakes, **settings) as gateway:
        assert ended(gateway, job)["state"] == "done"
    assert stage.steps == list(range(1, 21))


def test_a_job_that_takes_the_gateway_with_it_each_time_is_not_begun_for_ever(
    served_fakes: ServedFakes, settings: dict[str, Any]
) -> None:
    with started(served_fakes, **settings) as gateway:
        job = begun(gateway, steps=40)
    with sqlite3.connect(Path(settings["jobs_dir"]) / DATABASE) as database:
        database.execute("UPDATE jobs SET state = 'running', runs = ?", [MAX_RUNS])
    database.close()
    with started(served_fakes, **settings) as gateway:
        failed = ended(gateway, job)
    assert (failed["state"], failed["error"]["type"]) == ("failed", "InternalError")


def test_a_job_whose_request_is_gone_fails(
    served_fakes: ServedFakes, settings: dict[str, Any], tmp_path: Path
) -> None:
    with started(served_fakes, **settings) as gateway:
        job = begun(gateway, steps=40)
    (tmp_path / "jobs" / "jobs" / job["id"] / "request.json").unlink()
    with started(served_fakes, **settings) as gateway:
        assert ended(gateway, job)["error"]["type"] == "InternalError"
        assert ended(gateway, hand_in(gateway))["state"] == "done"


def test_the_key_is_known_after_a_restart(served_fakes: ServedFakes, settings: dict[str, Any]) -> None:
    with started(served_fakes, **settings) as gateway:
        job = hand_in(gateway, key="mine", steps=3)
    with started(served_fakes, **settings) as gateway:
        body = {"kind": "txt2img", "request": {"prompt": "a red apple", "steps": 3}}
        again = gateway.post("/v1/jobs", json=body, headers={"Idempotency-Key": "mine"})
        assert (again.status_code, again.json()["id"]) == (200, job["id"])


def test_without_a_folder_jobs_end_with_the_gateway(
    served_fakes: ServedFakes, settings: dict[str, Any]
) -> None:
    with started(served_fakes, **{**settings, "jobs_dir": ""}) as gateway:
        ended(gateway, hand_in(gateway, steps=2))
    with started(served_fakes, **{**settings, "jobs_dir": ""}) as gateway:
        assert gateway.get("/v1/jobs").json() == {"jobs": []}


def test_a_webhook_that_was_owed_is_sent_after_a_restart(
    served_fakes: ServedFakes, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To nobody, which is noticed."""
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    with started(served_fakes, **settings) as gateway:
        job = ended(gateway, hand_in(gateway, steps=2))
    webhook = json.dumps({"url": "http://127.0.0.1:9/", "secret": secret})
    with sqlite3.connect(Path(settings["jobs_dir"]) / DATABASE) as database:
        database.execute("UPDATE jobs SET notified = 'pending', webhook = ?", [webhook])
    database.close()
    monkeypatch.setattr("gateway.jobs.webhooks.ATTEMPTS", 1)
    with started(served_fakes, **settings) as gateway:
        wait_until(lambda: look(gateway, job)["webhook"] == "failed")


def test_a_disk_that_is_full_fails_the_job_and_not_the_gateway(
    served_fakes: ServedFakes, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with started(served_fakes, **settings) as gateway:
        job = begun(gateway, steps=20)
        monkeypatch.setattr("gateway.jobs.folder.Folder.write", full)
        monkeypatch.setattr("gateway.jobs.archive.ROOM_SECONDS", 0)
        assert ended(gateway, job)["error"]["type"] == "InternalError"
        monkeypatch.undo()
        assert ended(gateway, hand_in(gateway, steps=2))["state"] == "done"


def test_a_disk_that_is_full_for_a_moment_costs_no_job(
    served_fakes: ServedFakes, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    write = Folder.write

    def full_at_first(self: Folder, id: str, name: str, data: bytes) -> None:
        if name == RESULT and not refused:
            refused.append(id)
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, id, name, data)

    monkeypatch.setattr(Folder, "write", full_at_first)
    with started(served_fakes, **settings) as gateway:
        job = ended(gateway, hand_in(gateway, steps=2))
    assert (job["state"], refused) == ("done", [job["id"]])


def test_a_job_whose_result_waits_for_room_takes_no_place(
    served_fakes: ServedFakes, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, waits = Folder.write, list[str]()

    def full(self: Folder, id: str, name: str, data: bytes) -> None:
        if name == RESULT:
            waits.append(id)
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, id, name, data)

    with started(served_fakes, **settings) as gateway:
        with monkeypatch.context() as patched:
            patched.setattr(Folder, "write", full)
            job = hand_in(gateway, steps=2)
            wait_until(lambda: bool(waits))
            assert look(gateway, job)["state"] == "running"
            made = gateway.post("/v1/txt2img", json={"prompt": "a red apple", "steps": 2})
            assert made.status_code == 200
        assert ended(gateway, job)["state"] == "done"


def test_a_fault_of_the_store_ends_neither_the_line_nor_the_tidying(
    served_fakes: ServedFakes, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[str] = []

    def at_first(name: str, error: Exception) -> None:
        do = getattr(Archive, name)

        async def fail_once(self: Archive) -> Any:
            if name not in failed:
                failed.append(name)
                raise error
            return await do(self)

        monkeypatch.setattr(Archive, name, fail_once)

    at_first("take", RuntimeError("a mistake"))
    at_first("tidy", OSError(errno.ENOSPC, "No space left on device"))
    with started(served_fakes, **settings, jobs_keep_seconds=1) as gateway:
        job = hand_in(gateway, steps=2)
        wait_until(lambda: gateway.get(f"/v1/jobs/{job['id']}").status_code == 404)
    assert sorted(failed) == ["take", "tidy"]


def test_a_job_waits_no_longer_than_it_may_however_long_a_stage_says(
    served_fakes: ServedFakes, settings: dict[str, Any], fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a place meanwhile."""
    monkeypatch.setattr("gateway.jobs.work.PAUSE_SECONDS", 0.1)
    monkeypatch.setattr("gateway.jobs.work.MOST_PAUSE_SECONDS", 0.1)
    busy = JSONResponse({"error": "busy"}, 429, headers={"Retry-After": "3600"})
    fakes["decoder"].responses["/"] = lambda: busy
    with started(served_fakes, **settings) as gateway:
        job = hand_in(gateway, steps=2)
        wait_until(lambda: len(fakes["decoder"].requests) > 0)
        fakes["decoder"].responses.clear()
        assert ended(gateway, job)["state"] == "done"


def test_a_job_waits_for_a_stage_that_fails_and_a_request_does_not(
    served_fakes: ServedFakes, settings: dict[str, Any], fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.work.PAUSE_SECONDS", 0.1)
    fakes["decoder"].responses["/"] = lambda: JSONResponse({"error": "it broke"}, 500)
    with started(served_fakes, **settings) as gateway:
        assert gateway.post("/v1/txt2img", json={"prompt": "a red apple", "steps": 2}).status_code == 502
        job = hand_in(gateway, steps=2)
        asked = len(fakes["decoder"].requests)
        wait_until(lambda: len(fakes["decoder"].requests) > asked + 1)
        assert look(gateway, job)["state"] == "running"
        fakes["decoder"].responses.clear()
        assert ended(gateway, job)["state"] == "done"


def test_a_job_waits_for_a_stage_no_longer_than_the_setting_says(
    served_fakes: ServedFakes, settings: dict[str, Any], fakes: Fakes
) -> None:
    fakes["decoder"].responses["/"] = lambda: JSONResponse({"error": "it broke"}, 500)
    with started(served_fakes, **settings, restart_timeout=0) as gateway:
        job = ended(gateway, hand_in(gateway, steps=2))
    assert "it broke" in job["error"]["message"]
