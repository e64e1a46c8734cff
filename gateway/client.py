"""A picture from the command line: `python -m gateway.client --prompt "a red apple" --out apple.png`."""

import argparse
import base64
import json
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import httpx
from httpx_sse import EventSource, connect_sse
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

DEFAULT_URL = "http://127.0.0.1:8000"
POLL_SECONDS = 0.5
PROBE_SECONDS = 10.0


class ClientError(Exception):
    """What went wrong, in words for the person at the terminal."""


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    try:
        answer = generate(options.url, _request(options), options.wait)
        save(options.out, base64.b64decode(answer["images"][0]["data"]))
    except ClientError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("Stopped; the gateway stops working on the picture too.")
    _report(options.out, answer)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway.client", description="Makes one picture.")
    parser.add_argument("--prompt", required=True, help="what the picture shows")
    parser.add_argument("--out", type=Path, required=True, help="the PNG file to write")
    parser.add_argument("--url", default=DEFAULT_URL, help="the gateway (%(default)s)")
    parser.add_argument("--negative-prompt", help="what the picture is led away from")
    parser.add_argument("--steps", type=int, help="denoising steps")
    parser.add_argument("--guidance-scale", type=float, help="how closely to follow the prompt")
    parser.add_argument("--size", help="WIDTHxHEIGHT, where the model has more than one size")
    parser.add_argument("--seed", type=int, help="the same seed gives the same picture")
    parser.add_argument(
        "--wait", type=float, default=300, help="seconds to wait for the stages (%(default)s)"
    )
    return parser


def _request(options: argparse.Namespace) -> dict[str, Any]:
    """The fields that were given; the gateway knows the others."""
    names = ("prompt", "negative_prompt", "steps", "guidance_scale", "size", "seed")
    given = {name: getattr(options, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def generate(url: str, request: dict[str, Any], wait: float) -> dict[str, Any]:
    """The gateway's JSON answer, waited for with a display of how far it is. Raises ClientError."""
    said = TextColumn("{task.description}", markup=False)
    columns = SpinnerColumn(), said, BarColumn(), TimeElapsedColumn()
    display = Progress(*columns, console=Console(stderr=True), transient=True)
    try:
        with (
            display,
            httpx.Client(base_url=url, timeout=httpx.Timeout(None, connect=PROBE_SECONDS)) as client,
        ):
            task = display.add_task("Asking whether the stages are ready", total=None)
            until = time.monotonic() + wait
            while pending := _pending(client):
                if time.monotonic() > until:
                    raise ClientError(f"The stages are not ready: {pending}. GET {url}/v1/stages says more.")
                display.update(task, description=f"Waiting for {pending}")
                time.sleep(POLL_SECONDS)
            display.reset(task, description=f"Making {request['prompt']!r}")
            with connect_sse(client, "POST", "/v1/txt2img", json=request) as source:
                return _follow(source, display, task)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ClientError(f"No gateway answers at {url}: {error}. Start it with: make up") from None


def _pending(client: httpx.Client) -> str:
    """The stages that are not ready and what each says, empty when all are.

    Raises ClientError for a stage that failed to load: no waiting helps.
    """
    response = client.get("/ready", timeout=PROBE_SECONDS)
    if response.status_code == 200:
        return ""
    pending = [stage for stage in _json(response).get("stages", []) if not stage["ready"]]
    for stage in pending:
        if all(replica["state"] == "failed" for replica in stage["replicas"]):
            raise ClientError(f"The {stage['stage']} stage failed: {stage['replicas'][0]['error']}")
    return ", ".join(map(_state, pending)) or "the gateway"


def _state(stage: dict[str, Any]) -> str:
    return f"{stage['stage']} ({' and '.join(map(_replica_state, stage['replicas']))})"


def _replica_state(replica: dict[str, Any]) -> str:
    percent = f" {replica['progress']:.0%}" if replica["progress"] is not None else ""
    return f"{replica['state']}{percent}"


def _follow(source: EventSource, display: Progress, task: TaskID) -> dict[str, Any]:
    """The answer at the end of the events; those of how far it is are shown."""
    if source.response.status_code != 200:
        source.response.read()
        raise _refused(source.response.status_code, _json(source.response))
    for event in source.iter_sse():
        data: dict[str, Any] = json.loads(event.data)
        if event.event == "result":
            return data
        if event.event == "error":
            raise _refused(data["status"], data)
        if event.event == "progress":
            display.update(task, description=_told(data), completed=data["step"], total=data["steps"] or None)
    raise ClientError("The gateway broke off before the picture was done; its log says more. Try again.")


def _told(progress: dict[str, Any]) -> str:
    """How far it is, in words."""
    stage = progress["stage"]
    if progress["state"] == "queued":
        return f"{stage}: waiting, {progress['ahead']} before it"
    if progress["state"] == "waking":
        return f"{stage}: waking up"
    steps = f" step {progress['step']} of {progress['steps']}" if progress["steps"] else ""
    left = progress["seconds_left"]
    return f"{stage}{steps}" + (f", {left:.0f} s left" if left is not None else "")


def _refused(status: int, body: dict[str, Any]) -> ClientError:
    error = body.get("error")
    said = error.get("message") if isinstance(error, dict) else json.dumps(body)[:300]
    return ClientError(f"The gateway answered {status}: {said}")


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except json.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise ClientError(f"{response.request.url} is not the gateway: {response.text[:100]!r}")
    return body


def save(path: Path, data: bytes) -> None:
    """Writes the file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ClientError(f"{path} cannot be written: {error.strerror}.") from None


def _report(path: Path, answer: dict[str, Any]) -> None:
    print(f"{path}  seed {answer['images'][0]['seed']}")
    for call in answer["stages"]:
        print(f"  {call['stage']:<13} {call['seconds']:7.2f} s  {call['replica']}")
    print(f"  {'in all':<13} {answer['seconds']:7.2f} s")
    for warning in answer["warnings"]:
        print(f"  {warning}", file=sys.stderr)


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
