"""The simulated fleet does what a fleet does, and its decisions are those of the code in production."""

import pytest

import benchmarks.simulation.engine
import benchmarks.simulation.fleet
from benchmarks.simulation.engine import FORM, GUIDED_ROWS, TimedUnet
from benchmarks.simulation.fleet import Fleet, Scenario, Seen, Times

CALLS = {2: 0.010, 4: 0.014, 8: 0.022, 16: 0.038}
TIMES = Times(CALLS, gateway=0.001, encode=0.002, decode=0.004)
STEPS = 10


def run(**settings: object) -> Seen:
    known: dict[str, object] = {"users": 8, "look_seconds": 0.0, "replicas": 1, "steps": STEPS}
    scenario = Scenario("test", **{**known, "warm_seconds": 2, "seconds": 6, **settings})  # type: ignore[arg-type]
    return Fleet(scenario, TIMES).run()


def test_one_user_waits_for_every_part_of_the_way() -> None:
    seen = run(users=1)
    alone = TIMES.gateway + TIMES.encode + STEPS * CALLS[2] + TIMES.decode
    assert seen.waits == pytest.approx([alone] * len(seen.waits))
    assert len(seen.waits) == pytest.approx(6 / alone, abs=1)


def test_a_call_is_as_large_as_production_would_make_it() -> None:
    unet = TimedUnet(CALLS)
    assert unet.capacity(FORM) == 16
    assert TimedUnet({2: 0.01, 4: 0.02}).capacity(FORM) == 2
    assert unet.duration(6) == CALLS[8]
    assert unet.duration(18) == CALLS[16] + CALLS[2]


def test_many_users_share_calls() -> None:
    most = (16 / GUIDED_ROWS) / (STEPS * CALLS[16])
    assert len(run(users=24).waits) / 6 == pytest.approx(most, rel=0.1)


def test_twice_the_replicas_make_twice_the_pictures() -> None:
    one, two = run(users=24), run(users=48, replicas=2)
    assert len(two.waits) / len(one.waits) == pytest.approx(2, rel=0.05)


def test_more_than_the_gateway_takes_are_refused_and_come_again() -> None:
    seen = run(users=40, limit=8, look_seconds=1.0)
    assert seen.refused
    assert len(seen.asked) >= len(seen.refused) + len(seen.waits) - 40
    assert max(seen.waits) > 2  # seconds, as Retry-After says


def test_what_a_lost_replica_had_is_made_elsewhere_from_where_it_was() -> None:
    seen = run(users=24, replicas=4, lost=0.25, state_every=5)
    assert seen.repeated
    assert not seen.failed
    whole = STEPS * CALLS[16]
    assert max(seen.waits) < 4 * whole


def test_the_same_seed_is_the_same_fleet() -> None:
    assert run(look_seconds=1.0, seed=3).waits == run(look_seconds=1.0, seed=3).waits
    assert run(look_seconds=1.0, seed=3).waits != run(look_seconds=1.0, seed=4).waits


def test_it_is_productions_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"replica": 0, "riding": 0}
    for module, name in ((benchmarks.simulation.fleet, "replica"), (benchmarks.simulation.engine, "riding")):
        real = module.choose

        def counted(*arguments: object, real: object = real, name: str = name) -> object:
            chosen[name] += 1
            return real(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(module, "choose", counted)
        assert real.__module__ in ("gateway.choice", "triptych.engine.choice")
    run()
    assert min(chosen.values()) > 0
