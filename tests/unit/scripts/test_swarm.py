"""What compose says, as a stack of Docker Swarm."""

from typing import Any

import pytest

from scripts.swarm import Untranslatable, stack

PORT = {"mode": "ingress", "target": 8000, "published": "8000", "protocol": "tcp"}


def translated(**service: Any) -> dict[str, Any]:
    project = {"name": "triptych", "x-stage": {}, "services": {"decoder": {"image": "stage", **service}}}
    made: dict[str, Any] = stack(project)["services"]["decoder"]
    return made


def test_what_a_stack_does_not_know_is_left_out() -> None:
    without = {"build": {"context": "."}, "depends_on": {}, "pull_policy": "never", "restart": "always"}
    assert set(translated(**without, command=None, security_opt=["no-new-privileges:true"])) == {
        *("image", "deploy", "volumes", "ports")
    }
    assert set(stack({"name": "triptych", "x-stage": {}, "services": {}})) == {"version", "services"}


def test_a_command_is_kept_where_there_is_one() -> None:
    assert translated(command=["redis-server"])["command"] == ["redis-server"]


def test_memory_is_limited_where_a_stack_limits_it() -> None:
    made = translated(mem_limit="2147483648", deploy={"replicas": 2})
    assert made["deploy"] == {"replicas": 2, "resources": {"limits": {"memory": "2147483648"}}}
    assert "mem_limit" not in made


@pytest.mark.parametrize(("text", "size"), [("/tmp:size=256m,mode=1777", 256 * 1024**2), ("/tmp", None)])
def test_a_folder_in_memory_is_a_mount(text: str, size: int | None) -> None:
    (mount,) = translated(tmpfs=[text])["volumes"]
    assert (mount["type"], mount["target"]) == ("tmpfs", "/tmp")
    assert mount.get("tmpfs", {}).get("size") == size


def test_a_port_is_that_of_the_node() -> None:
    (made,) = translated(ports=[{**PORT, "host_ip": "0.0.0.0"}])["ports"]
    assert made == {"mode": "host", "target": 8000, "published": 8000, "protocol": "tcp"}


def test_a_port_of_one_address_is_refused_as_it_would_be_every_address() -> None:
    with pytest.raises(Untranslatable, match=r"decoder publishes port 8000 at 127\.0\.0\.1 alone"):
        translated(ports=[{**PORT, "host_ip": "127.0.0.1"}])


def test_a_range_of_ports_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(Untranslatable, match=r"8000-8001 .* take swarm-shared-jobs"):
        translated(ports=[{**PORT, "host_ip": "127.0.0.1", "published": "8000-8001"}])


def test_a_folder_of_the_node_is_bound_as_a_stack_says_it() -> None:
    volume = {"type": "bind", "source": "/a", "target": "/b", "bind": {"create_host_path": True}}
    assert translated(volumes=[volume])["volumes"] == [{**volume, "bind": {}}]


def test_devices_are_refused_with_what_to_do_instead() -> None:
    devices = {"reservations": {"devices": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]}}
    with pytest.raises(Untranslatable, match="take swarm-gpu"):
        translated(deploy={"resources": devices})
