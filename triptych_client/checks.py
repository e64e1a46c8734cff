"""What each part of a stack says of itself, and what of it is wrong."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .exposition import Metrics

OLD_SECONDS = 30.0
OLD_JOB_SECONDS = 600.0
FULL = 0.9
FREE_BYTES = 1e9
REFUSED = 0.1
MANY = 20
"""Of fewer requests a share says nothing."""

SPLIT = ("text_encoder", "diffusion", "decoder")
BEGINNING = ("starting", "downloading", "verifying", "loading", "compiling")
TODO = {
    "unreachable": "Start it, or set {variable} to where it is.",
    "failed": "Its log says more. Put right what it names, and start it again.",
    "stopping": "Start it again, or wait until it is.",
    "waking": "Requests are held until it is awake; a request later it is.",
    "paused": "Resume it where it runs, or set {variable} to another.",
    "unauthorized": "Set {token} to a token that may use it.",
    "misplaced": "Set {variable} to a {stage} stage with the model of the others.",
}

Stage = dict[str, Any]
Replica = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, in a sentence, and what to do. `about` is the stage, or what else it is."""

    about: str
    what: str
    todo: str


def check_ways(stages: list[Stage], known: bool) -> Iterator[Finding]:
    """Whether the stages that are switched on can make a picture together."""
    on = {stage["stage"] for stage in stages if not stage["model"]}
    off = [name for name in SPLIT if name not in on]
    if known and off and "all_in_one" not in on:
        variables = " and ".join(f"{name.upper()}_URL" for name in off)
        yield Finding(
            "gateway", f"Switched off: {', '.join(off)}. No picture can be made.", f"Set {variables}."
        )


def check_replica(stage: Stage, replica: Replica) -> Iterator[Finding]:
    """Everything that one replica says of itself."""
    where = f"The {stage['stage']} stage at {replica['url']}"
    name, state = stage["stage"], replica["state"]
    if state in BEGINNING:
        progress = f" {replica['progress']:.0%}" if replica["progress"] is not None else ""
        yield Finding(name, f"{where} is not ready yet: {state}{progress}.", "Wait until it is warm.")
    elif state in TODO:
        variable = f"{name.upper()}_URL" + (f"S__{stage['model']}" if stage["model"] else "")
        said = f": {replica['error']}" if replica["error"] else "."
        todo = TODO[state].format(variable=variable, token=f"{name.upper()}_TOKEN", stage=name)
        yield Finding(name, f"{where} {_is(state)}{said}", todo)
    elif replica.get("breaker", "closed") != "closed":
        yield Finding(
            name,
            f"{where} answers, but calls to it failed again and again: its circuit breaker is "
            f"{replica['breaker'].replace('_', '-')}.",
            "Look at its log and at the gateway's. It is tried again by itself.",
        )
    yield from _check_vitals(name, where, replica.get("vitals") or {})


def _is(state: str) -> str:
    return {"unreachable": "does not answer", "failed": "failed"}.get(state, f"is {state}")


def _check_vitals(name: str, where: str, vitals: dict[str, Any]) -> Iterator[Finding]:
    queue, memory, programs = (vitals.get(part) or {} for part in ("queue", "memory", "programs"))
    lowered = f"t{where[1:]}"
    if queue.get("oldest_seconds", 0) > OLD_SECONDS:
        yield Finding(
            name,
            f"{queue['waiting']} requests wait for {lowered}, one for {queue['oldest_seconds']:.0f} s.",
            "Add a replica, or lower MAX_CONCURRENT_REQUESTS.",
        )
    used, limit = memory.get("used_bytes"), memory.get("limit_bytes")
    if used and limit and used > FULL * limit:
        yield Finding(
            name,
            f"{where} holds {used / limit:.0%} of the {limit / 2**30:.1f} GiB of memory that it may take.",
            "Give it more (STAGE_MEMORY), or lower BATCH_ROWS.",
        )
    if programs.get("warm", 0) < programs.get("of", 0):
        yield Finding(
            name,
            f"{where} has compiled {programs['warm']} of {programs['of']} batch sizes: until it has, many "
            "requests at a time take longer.",
            "Wait.",
        )


def check_fit(stages: list[Stage]) -> Iterator[Finding]:
    """Whether replicas of a stage are alike, and stages of a model take what the others make."""
    for stage in stages:
        yield from _check_alike(stage)
    versions = _by_value(
        (str(info["versions"]["triptych"]), where)
        for _, where, info in _infos(stages)
        if "triptych" in info.get("versions", {})
    )
    if len(versions) > 1:
        yield Finding(
            "versions", f"There are different versions of Triptych: {_listed(versions)}.", "Update all."
        )
    for model in dict.fromkeys(stage["model"] for stage in stages):
        yield from _check_shapes(model, stages)


def _check_alike(stage: Stage) -> Iterator[Finding]:
    models = _by_value(
        (f"{info['model']['name']} ({info['model']['hash']}, {info.get('dtype')})", where)
        for _, where, info in _infos([stage])
        if info.get("model")
    )
    if len(models) > 1:
        yield Finding(
            stage["stage"],
            f"Replicas of the {stage['stage']} stage run different models: {_listed(models)}.",
            f"Give them the same, or name the other apart ({stage['stage'].upper()}_URLS__name).",
        )


def _check_shapes(model: str | None, stages: list[Stage]) -> Iterator[Finding]:
    own = {stage["stage"] for stage in stages if stage["model"] == model}
    used = [one for one in stages if one["model"] == model or (not one["model"] and one["stage"] not in own)]
    shapes: dict[str, list[tuple[str, str]]] = {}
    for name, where, info in _infos(used):
        if name != "all_in_one":
            for tensor, shape in info["shapes"].items():
                shapes.setdefault(tensor, []).append(("×".join(map(str, shape)), where))
    for tensor, found in shapes.items():
        values = _by_value(found)
        if len(values) > 1:
            yield Finding(
                "shapes",
                f"The stages do not fit: there is a {tensor.replace('_', ' ')} of {_listed(values)}.",
                "Give all stages the same model (SD_VERSION, MODEL).",
            )


def _infos(stages: Iterable[Stage]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for stage in stages:
        for replica in stage["replicas"]:
            if replica["info"]:
                yield stage["stage"], f"{stage['stage']} at {replica['url']}", replica["info"]


def _by_value(found: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for value, where in found:
        values.setdefault(value, []).append(where)
    return values


def _listed(values: dict[str, list[str]]) -> str:
    return "; ".join(f"{value} ({', '.join(where)})" for value, where in values.items())


def check_metrics(metrics: Metrics) -> Iterator[Finding]:
    """What the gateway counts of itself."""

    def value(name: str, **labels: str) -> float:
        return sum(one for own, one in metrics.get(name, []) if labels.items() <= own.items())

    oldest = value("triptych_jobs_oldest_seconds")
    if oldest > OLD_JOB_SECONDS:
        yield Finding(
            "jobs",
            f"{value('triptych_jobs_waiting'):.0f} jobs wait, the oldest for {oldest / 60:.0f} minutes.",
            "Add replicas of the diffusion stage, or take fewer jobs (JOBS_QUEUE).",
        )
    taken, limit = value("triptych_jobs_bytes"), value("triptych_jobs_bytes_limit")
    if limit and taken > FULL * limit:
        yield Finding(
            "jobs",
            f"Jobs take {taken / limit:.0%} of JOBS_BYTES: the oldest results are removed for new ones.",
            "Raise JOBS_BYTES, or lower JOBS_KEEP_SECONDS.",
        )
    if "triptych_jobs_disk_free_bytes" in metrics and value("triptych_jobs_disk_free_bytes") < FREE_BYTES:
        free = value("triptych_jobs_disk_free_bytes") / 1e6
        yield Finding(
            "disk", f"The disk of the jobs has {free:.0f} MB left.", "Make room, or lower JOBS_BYTES."
        )
    refused, asked = (value("triptych_admissions_total", **one) for one in ({"outcome": "refused"}, {}))
    if asked >= MANY and refused > REFUSED * asked:
        yield Finding(
            "gateway",
            f"{refused / asked:.0%} of the requests since its start were refused: too many were under way.",
            "Add replicas and raise MAX_CONCURRENT_REQUESTS, or hand in jobs.",
        )


def check_jobs(jobs: list[dict[str, Any]]) -> Iterator[Finding]:
    """The latest jobs, newest first."""
    failed = [job for job in jobs if job.get("state") == "failed"]
    if failed:
        error = (failed[0].get("error") or {}).get("message", "")
        yield Finding(
            "jobs",
            f"{len(failed)} of the latest {len(jobs)} jobs failed; the last of them: {error}",
            f"GET /v1/jobs/{failed[0]['id']} says more.",
        )
