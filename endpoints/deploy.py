"""Does a deployment, or only shows it, and waits until the endpoint runs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from httpx2 import HTTPError
from huggingface_hub import HfApi, InferenceEndpoint, InferenceEndpointStatus, get_token
from huggingface_hub.errors import HfHubHTTPError
from rich.console import Console

from .deployment import Call, Deployment

POLL_SECONDS = 5.0
FAILED = (InferenceEndpointStatus.FAILED, InferenceEndpointStatus.UPDATE_FAILED)
READY = (InferenceEndpointStatus.RUNNING, InferenceEndpointStatus.SCALED_TO_ZERO)
ADVICE = {
    401: "Set HF_TOKEN to a valid token, or run `hf auth login`",
    403: "The token must have the right to write to NAMESPACE, and NAMESPACE a way to pay",
    409: "NAME is taken: set NAME to another",
}


class DeployError(RuntimeError):
    """An endpoint that could not be had; says why and what to do."""


def preview(deployment: Deployment, console: Console) -> None:
    """Show every call with its arguments, and do none of them."""
    commit = "the commit that upload_folder made"
    steps = {
        "Nothing is done; with DRY_RUN=false these calls of huggingface_hub are:": [deployment.exists()],
        "if it is there:": [deployment.files()],
        "if it is not there, or holds a bundle or nothing:": [deployment.find(), *deployment.push()],
        f"if there was no endpoint {deployment.name}:": [deployment.create(commit)],
        f"if there was, and it ran {deployment.repository}:": [deployment.update(commit)],
        "if it was paused:": [deployment.resume()],
        "until it runs:": [deployment.find()],
    }
    for when, calls in steps.items():
        console.print(when, soft_wrap=True, markup=False, highlight=False)
        for call in calls:
            _show(call, console)


def deploy(deployment: Deployment, console: Console, poll_seconds: float = POLL_SECONDS) -> str:
    """Push, create or update, wait; the endpoint's address. Raises DeployError."""
    token = deployment.settings.hf_token
    api = HfApi(token=token.get_secret_value() if token else get_token())
    if not api.token:
        raise DeployError("There is no token: set HF_TOKEN to one that may write, or run `hf auth login`")
    with _explained(deployment):
        found = _found(deployment, api)
        commit = _push(deployment, api, console)
        endpoint = _placed(deployment, found, commit, api, console)
        return _wait(endpoint, deployment, api, console, poll_seconds)


def _found(deployment: Deployment, api: HfApi) -> InferenceEndpoint | None:
    """The endpoint as it is, None if there is none. What has the name and is not ours is left alone."""
    if not deployment.is_ours(api):
        raise DeployError(
            f"The repository {deployment.repository} is there and is no bundle, so it is left as it is: "
            "set NAME to another"
        )
    try:
        endpoint: InferenceEndpoint = deployment.find().run(api)
    except HfHubHTTPError as error:
        if error.response.status_code == 404:
            return None
        raise
    if endpoint.repository != deployment.repository:
        raise DeployError(
            f"The endpoint {deployment.name} is there and runs {endpoint.repository}: set NAME to another"
        )
    return endpoint


def _push(deployment: Deployment, api: HfApi, console: Console) -> str:
    """The commit that now is the repository's last."""
    for call in deployment.push():
        _show(call, console)
        done = call.run(api)
    return str(done.oid)


def _placed(
    deployment: Deployment, found: InferenceEndpoint | None, commit: str, api: HfApi, console: Console
) -> InferenceEndpoint:
    """The endpoint, created or updated, and resumed if it was paused."""
    calls = [deployment.update(commit) if found else deployment.create(commit)]
    if found and found.status == InferenceEndpointStatus.PAUSED:
        calls.append(deployment.resume())
    for call in calls:
        _show(call, console)
        endpoint: InferenceEndpoint = call.run(api)
    return endpoint


def _wait(
    endpoint: InferenceEndpoint, deployment: Deployment, api: HfApi, console: Console, poll: float
) -> str:
    began, shown = time.monotonic(), ""
    with console.status("waiting until it runs") as line:
        while endpoint.status not in READY or not endpoint.url:
            seconds = time.monotonic() - began
            if endpoint.status in FAILED:
                why = _said(endpoint) or "the platform does not say why"
                raise DeployError(f"The endpoint failed: {why}. Its log is at {deployment.page}")
            if seconds > deployment.settings.deploy_seconds:
                raise DeployError(
                    f"The endpoint is still {endpoint.status} after {seconds:.0f} s. Look at "
                    f"{deployment.page}, or run this again with a higher DEPLOY_SECONDS"
                )
            line.update(f"{endpoint.status}, {seconds:.0f} s {_said(endpoint)}")
            if endpoint.status != shown:
                shown = endpoint.status
                console.print(f"{seconds:4.0f} s  {shown}")
            time.sleep(poll)
            endpoint = deployment.find().run(api)
    console.print(f"{time.monotonic() - began:4.0f} s  {endpoint.status}")
    return str(endpoint.url)


def _said(endpoint: InferenceEndpoint) -> str:
    """What the platform says about the state."""
    said = endpoint.raw.get("status", {})
    return str(said.get("errorMessage") or said.get("message") or "")


@contextmanager
def _explained(deployment: Deployment) -> Iterator[None]:
    """Turns what huggingface_hub raises inside into a DeployError that says what to do."""
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        advice = ADVICE.get(status) or (
            f"Look at {deployment.page}; `hf endpoints hardware` lists which INSTANCE_TYPE, INSTANCE_SIZE, "
            "VENDOR and REGION go together"
        )
        raise DeployError(f"The Hub answered {status}: {error.server_message or error}. {advice}") from error
    except (HTTPError, OSError) as error:
        raise DeployError(f"The Hub could not be reached ({error}): check the network") from error


def _show(call: Call, console: Console) -> None:
    console.print(f"HfApi().{call}", soft_wrap=True, markup=False, highlight=False)
