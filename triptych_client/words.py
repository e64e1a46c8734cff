"""What the gateway says, in words for the person at the terminal."""

from typing import Any


def describe_stages(stages: list[dict[str, Any]]) -> str:
    """Each stage with the state of its replicas, in one line."""
    return ", ".join(f"{stage['stage']} ({_states(stage['replicas'])})" for stage in stages)


def state(replica: dict[str, Any]) -> str:
    progress = replica["progress"]
    return str(replica["state"]) if progress is None else f"{replica['state']} {progress:.0%}"


def _states(replicas: list[dict[str, Any]]) -> str:
    return " and ".join(map(state, replicas))


def describe_progress(progress: dict[str, Any]) -> str:
    """How far a picture is, from an event `progress`."""
    stage = progress["stage"]
    if progress["state"] == "queued":
        return f"{stage}: waiting, {progress['ahead']} before it"
    if progress["state"] == "waking":
        return f"{stage}: waking up"
    steps = f" step {progress['step']} of {progress['steps']}" if progress["steps"] else ""
    left = progress["seconds_left"]
    return f"{stage}{steps}" + (f", {left:.0f} s left" if left is not None else "")
