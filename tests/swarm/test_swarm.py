"""The stack on three nodes, with a gateway on two of them: found, drawn with, updated and, without one of the
nodes, still there.

The kernel that this was written on has no IPVS, so a swarm's virtual addresses and its routing mesh could not
be tried; the stack uses neither.
"""

import pytest

from .conftest import TOKEN, Load, Swarm, all_there

NODES = ["node1", "node2", "node3"]
NOTHING = {"versions": {"backend": ""}}
"""Of a replica that is known and not asked yet."""
HEALING_SECONDS = 600


def test_every_replica_is_a_place_that_the_gateway_knows(swarm: Swarm) -> None:
    swarm.wait("until the gateway knows all", lambda: len(swarm.stages()["diffusion"]) == 3, 20)
    stages = swarm.stages()
    assert {stage: len({place["url"] for place in places}) for stage, places in stages.items()} == {
        "text_encoder": 2,
        "diffusion": 3,
        "inpainting": 3,
        "decoder": 2,
    }
    assert {place["state"] for places in stages.values() for place in places} == {"warm"}


def test_replicas_are_spread_over_the_nodes(swarm: Swarm) -> None:
    assert swarm.where("diffusion") == NODES
    assert len(set(swarm.where("decoder"))) == 2
    assert swarm.where("gateway") == ["node1", "node3"]


def test_pictures_are_made_by_several_nodes_at_a_time(swarm: Swarm) -> None:
    with Load(swarm) as load:
        swarm.wait("until a dozen are made", lambda: len(load.answers) >= 12)
    load.check()
    calls = [call for answer in load.answers for call in answer.json()["stages"]]
    assert len({call["replica"] for call in calls if call["stage"] == "diffusion"}) == 3


@pytest.mark.parametrize("at", [0, 1])
def test_a_job_handed_in_at_one_gateway_is_fetched_at_the_other(swarm: Swarm, at: int) -> None:
    urls = (swarm.url, swarm.other_url)
    job = swarm.hand_in(urls[at], seed=at)
    swarm.wait("until the job is done", lambda: swarm.result(urls[1 - at], job), 60)
    picture = swarm.result(urls[1 - at], job)
    assert picture == swarm.result(urls[at], job)
    assert picture and picture.startswith(b"\x89PNG")


def test_the_token_is_in_a_file_of_the_containers_and_in_no_service(swarm: Swarm) -> None:
    for service in ("gateway", "diffusion"):
        assert TOKEN not in swarm.manager.docker("service", "inspect", f"triptych_{service}")
        (container, *_) = swarm.manager.docker(
            "ps", "--quiet", "--filter", f"name=triptych_{service}"
        ).split()
        assert swarm.manager.docker("exec", container, "cat", "/run/secrets/hf_token") == TOKEN


def test_containers_have_no_rights_and_bounded_memory(swarm: Swarm) -> None:
    (container, *_) = swarm.manager.docker("ps", "--quiet", "--filter", "name=triptych_diffusion").split()
    described = (
        "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.Memory}} {{.Config.User}}"
    )
    said = swarm.manager.docker("inspect", "--format", described, container)
    assert said == f"true [ALL] {2 * 1024**3} 10001:10001"


def test_an_update_of_a_stage_loses_no_picture(swarm: Swarm) -> None:
    with Load(swarm) as load:
        swarm.up(DECODER_BACKEND="tensorflow")
        swarm.wait("until both are replaced", lambda: _backends(swarm) == ["tensorflow"] * 2)
        swarm.wait("until the swarm is done", lambda: all_there(swarm.replicas()))
    load.check()


def _backends(swarm: Swarm) -> list[str]:
    return [(place["info"] or NOTHING)["versions"]["backend"] for place in swarm.stages()["decoder"]]


def test_a_node_that_is_lost_costs_no_picture_and_what_it_had_comes_back(swarm: Swarm) -> None:
    lost = swarm.nodes[2]
    assert lost.name in swarm.where("diffusion")
    with Load(swarm) as load:
        swarm.wait("until some are made", lambda: len(load.answers) >= 3)
        jobs = [swarm.hand_in(swarm.other_url, seed) for seed in range(20)]
        lost.unplug()
        swarm.wait("until the swarm has noticed", lambda: _is_down(swarm, lost.name), 90)
        swarm.wait("until all are there again", lambda: _healed(swarm, lost.name), HEALING_SECONDS)
        swarm.wait("until its gateway's jobs are done", lambda: _all_done(swarm, jobs), HEALING_SECONDS)
    load.check()
    assert swarm.picture(7).status_code == 200


def _is_down(swarm: Swarm, node: str) -> bool:
    return f"{node} Down" in swarm.manager.docker("node", "ls", "--format", "{{.Hostname}} {{.Status}}")


def _healed(swarm: Swarm, lost: str) -> bool:
    there = {service: swarm.where(service) for service in ("text-encoder", "diffusion", "decoder")}
    wanted = {"text-encoder": 2, "diffusion": 3, "decoder": 2}
    if any(lost in nodes or len(nodes) != wanted[service] for service, nodes in there.items()):
        return False
    places = swarm.stages()["diffusion"]
    return len(places) == 3 and all(place["state"] == "warm" for place in places)


def _all_done(swarm: Swarm, jobs: list[str]) -> bool:
    return all(swarm.result(swarm.url, job) for job in jobs)
