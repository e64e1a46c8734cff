"""Who rides in the next call."""

from collections.abc import Mapping

from tests.engine_model import SHAPE, order
from triptych.engine.choice import choose
from triptych.engine.clients import Clients
from triptych.engine.job import Job
from triptych.engine.unet import Form, Found


def job(seed: int, steps: int = 4, client: str = "", clock: int = 0, **changes: object) -> Job:
    one = order(seed, steps=steps, **changes)  # type: ignore[arg-type]
    return Job(one, one.start, client, clock)


def chosen(
    jobs: list[Job], rows: int, clock: int = 0, served: Mapping[str, float] | None = None
) -> list[int]:
    return [jobs.index(one) for one in choose(jobs, served or {}, rows, clock)]


def test_as_many_ride_as_there_are_rows_for() -> None:
    jobs = [job(seed) for seed in range(5)]
    assert len(chosen(jobs, rows=6)) == 3
    assert len(chosen(jobs, rows=100)) == 5


def test_one_rides_even_if_it_needs_more_rows_than_are_best() -> None:
    assert chosen([job(0)], rows=1) == [0]


def test_a_narrow_one_takes_the_last_row() -> None:
    jobs = [job(0), job(1), job(2, scale=1.0)]
    assert len(chosen(jobs, rows=3)) == 2


def test_only_jobs_of_one_form_share_a_call() -> None:
    jobs = [job(0, clock=-9), job(1, shape=(8, 16, 4)), job(2)]
    assert sorted(chosen(jobs, rows=100)) == [0, 2]


def test_the_client_served_least_goes_first() -> None:
    jobs = [job(0, client="often", clock=-100), job(1, client="seldom")]
    assert chosen(jobs, rows=2, served={"often": 40, "seldom": 8}) == [1]


def test_clients_share_a_call_by_turns() -> None:
    jobs = [job(seed, client="many") for seed in range(6)] + [job(9, client="few")]
    assert 6 in chosen(jobs, rows=4)


def test_a_short_job_that_waited_as_long_goes_before_a_long_one() -> None:
    jobs = [job(0, steps=100), job(1, steps=4)]
    assert chosen(jobs, rows=2, clock=20) == [1]


def test_a_job_that_is_nearly_done_is_not_left_for_one_that_just_came() -> None:
    nearly = job(0, steps=20)
    for _ in range(18):
        nearly.step([Found(row.latent) for row in nearly.rows()])
    assert chosen([nearly, job(1, steps=4, clock=36)], rows=2, clock=36) == [0]


def test_a_long_job_is_not_put_off_for_ever() -> None:
    long = job(0, steps=50)
    turns = 0
    for clock in range(0, 2000, 8):
        turns += chosen([long, job(1, steps=4, clock=clock - 8)], rows=2, clock=clock) == [0]
    assert turns > 100


def test_a_client_that_comes_new_starts_with_who_has_had_least() -> None:
    clients = Clients()
    clients.arrive("old")
    clients.serve("old", 500)
    clients.arrive("new")
    assert clients.served == {"old": 500, "new": 500}
    clients.keep(["new"])
    assert clients.served == {"new": 500}


def test_rows_left_count_what_is_guided() -> None:
    assert job(0, steps=10).rows_left == 20
    assert job(0, steps=10, scale=1.0).rows_left == 10
    assert job(0, steps=10, sampler="heun").rows_left == 38
    assert job(0).form == Form(SHAPE)
