"""Say what compose says as a stack of Docker Swarm does: the same services, in the words that a stack knows.

    docker compose -f compose.yaml -f compose/swarm.yaml config --format json | python3 scripts/swarm.py

reads JSON and writes JSON, which `docker stack deploy --compose-file -` takes as YAML. Exit status 1, with a
sentence, for what would be lost. It needs Python alone, as a manager may have nothing else.
"""

import json
import re
import sys
from typing import Any

Service = dict[str, Any]

UNKNOWN = ("build", "command", "depends_on", "entrypoint", "pull_policy", "restart", "security_opt")
"""Of no meaning in a stack, or null; for `security_opt` each engine's daemon.json says no-new-privileges."""
EVERYWHERE = ("", "0.0.0.0", "::")
UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


class Untranslatable(ValueError):
    """A stack cannot do this; says what to do instead."""


def stack(project: dict[str, Any]) -> dict[str, Any]:
    """What `docker compose config --format json` describes, as a stack. Raises Untranslatable."""
    kept = {key: value for key, value in project.items() if key != "name" and not key.startswith("x-")}
    services = {name: service(name, one) for name, one in project["services"].items()}
    return {"version": "3.8", **kept, "services": services}


def service(name: str, described: Service) -> Service:
    """One service in a stack's words."""
    one = {key: value for key, value in described.items() if key not in UNKNOWN or _is_said(key, value)}
    deploy = dict(one.get("deploy", {}))
    resources = {kind: dict(values) for kind, values in deploy.get("resources", {}).items()}
    if resources.get("reservations", {}).get("devices"):
        raise Untranslatable(
            f"{name} reserves devices, which a stack cannot: leave compose/gpu.yaml out and take swarm-gpu."
        )
    if limit := one.pop("mem_limit", None):
        resources.setdefault("limits", {})["memory"] = str(limit)
    one["deploy"] = {**deploy, "resources": resources}
    one["volumes"] = [_volume(volume) for volume in one.get("volumes", [])]
    one["volumes"] += [_tmpfs(text) for text in one.pop("tmpfs", [])]
    one["ports"] = [_port(name, port) for port in one.get("ports", [])]
    return one


def _is_said(key: str, value: Any) -> bool:
    """A command is kept where a file gives one; compose says null where none does."""
    return key in ("command", "entrypoint") and value is not None


def _port(name: str, port: dict[str, Any]) -> dict[str, Any]:
    """Published on the container's node: a service of many addresses cannot have a port of the swarm's."""
    published, address = port["published"], port.get("host_ip", "")
    if "-" in published:
        raise Untranslatable(
            f"{name} publishes a port of {published} for each replica, and on a swarm all have the same one, "
            "each on a node of its own: after shared-jobs take swarm-shared-jobs."
        )
    if address not in EVERYWHERE:
        raise Untranslatable(
            f"{name} publishes port {published} at {address} alone, and a stack does so at every address of "
            "a node: leave that layer out, or publish at 0.0.0.0 what all may reach."
        )
    kept = {key: value for key, value in port.items() if key != "host_ip"}
    return {**kept, "published": int(published), "mode": "host"}


def _volume(volume: dict[str, Any]) -> dict[str, Any]:
    if volume.get("type") != "bind":
        return volume
    bind = {key: value for key, value in volume.get("bind", {}).items() if key != "create_host_path"}
    return {**volume, "bind": bind}


def _tmpfs(text: str) -> dict[str, Any]:
    """`/tmp:size=256m`, of which a stack has no short form; its mode is 1777."""
    target, _, options = text.partition(":")
    size = re.search(r"\bsize=(\d+)([kmg]?)\b", options)
    mount: dict[str, Any] = {"type": "tmpfs", "target": target}
    if size:
        mount["tmpfs"] = {"size": int(size[1]) * UNITS[size[2]]}
    return mount


if __name__ == "__main__":
    try:
        json.dump(stack(json.load(sys.stdin)), sys.stdout, indent=1)
    except Untranslatable as error:
        sys.exit(str(error))
