"""What the engine is made of: orders, guidance, kept latents, memory, warming."""

import mmap
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from tests.engine_model import SHAPE, Model, order
from triptych import memory
from triptych.engine import Guidance, warming
from triptych.engine.job import Job
from triptych.engine.unet import Form
from triptych.engine.warming import Warming
from triptych.kept import KeptArrays


def latent(value: float) -> np.ndarray:
    return np.full(SHAPE, value, np.float32)


def test_guidance_covers_its_part_of_the_steps() -> None:
    guidance = Guidance(4.0, 0.25, 0.75)
    assert [guidance.guides(step, 8) for step in range(8)] == [
        False,
        False,
        True,
        True,
        True,
        True,
        False,
        False,
    ]


def test_guidance_of_scale_one_is_none() -> None:
    assert not Guidance(1.0).guides(0, 8)


def test_guidance_of_scale_zero_needs_the_unconditional_alone() -> None:
    one = order(1, scale=0.0)
    (row,) = Job(one, one.start, "", 0).rows()
    assert row.context is one.unconditional


def test_guidance_leads_away_from_the_unconditional() -> None:
    assert Guidance(3.0).apply(latent(1), latent(2))[0, 0, 0] == 4


@pytest.mark.parametrize(
    "changes",
    [{"seed": 2}, {"steps": 5}, {"scale": 2.0}, {"sampler": "heun"}, {"context": 0.2}, {"deep_interval": 2}],
)
def test_orders_that_differ_in_anything_have_different_digests(changes: dict[str, object]) -> None:
    assert order(1).digest == order(1).digest
    assert order(**{"seed": 1, **changes}).digest != order(1).digest  # type: ignore[arg-type]


def test_arrays_asked_for_longest_ago_go_first() -> None:
    kept = KeptArrays(max_bytes=3 * latent(0).nbytes)
    for number in range(3):
        kept.put(bytes([number]), latent(number))
    assert kept.get(b"\x00") is not None
    kept.put(b"\x03", latent(3))
    assert kept.get(b"\x01") is None
    found = kept.get(b"\x00")
    assert found is not None
    assert found[0, 0, 0] == 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        ValueError("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes"),
    ],
)
def test_the_backends_words_for_full_memory_are_known(error: Exception) -> None:
    assert memory.is_exhausted(error)
    assert not memory.is_exhausted(ValueError("shapes differ"))


def test_the_peak_is_what_a_call_takes_more_than_before() -> None:
    with memory.Peak() as peak:
        block = np.ones(50 * 2**20, np.uint8)
        time.sleep(0.05)
        del block
    assert 40 * 2**20 < peak.bytes < 200 * 2**20


def test_memory_left_is_known_on_linux() -> None:
    left = memory.available()
    assert left is not None
    assert left > 2**20


class Sized(Model):
    """A model with several batch sizes, of which only some gain."""

    def __init__(self, gaining: int, long: bool = True) -> None:
        super().__init__()
        self.sizes = [2, 1, 4, 8, 16]
        self.made: list[int] = []
        self.measured: list[int] = []
        self._gaining, self._long = gaining, long

    def compile(self, form: Form, rows: int) -> None:
        self.made.append(rows)

    def measure(self, form: Form, rows: int) -> None:
        self.measured.append(rows)

    def warm_sizes(self, form: Form) -> list[int]:
        return sorted(rows for rows in self.made if rows in self.sizes)

    def gains(self, form: Form, rows: int, smaller: int) -> bool:
        return rows <= self._gaining

    def is_long(self, form: Form, rows: int) -> bool:
        return self._long


def settled(model: Sized) -> tuple[int, int]:
    warming = Warming(model, threading.Lock(), lambda: None)  # type: ignore[arg-type]
    end = time.monotonic() + 10
    while warming.progress()[0] < warming.progress()[1] and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.05)
    warming.close()
    return warming.progress()


def test_batch_sizes_are_warmed_most_likely_first() -> None:
    model = Sized(gaining=16)
    assert settled(model) == (5, 5)
    assert model.made == [2, 1, 4, 8, 16]


def test_a_single_batch_size_is_there_already_and_takes_no_call_to_measure() -> None:
    model = Sized(gaining=16)
    model.sizes = model.made = [1]
    assert settled(model) == (1, 1)
    assert model.measured == []


def test_no_larger_batch_is_compiled_where_calls_are_long_and_the_last_gained_nothing() -> None:
    model = Sized(gaining=4)
    assert settled(model) == (4, 4)
    assert model.made == [2, 1, 4, 8]


def test_short_calls_are_tried_in_every_batch_size() -> None:
    model = Sized(gaining=1, long=False)
    assert settled(model) == (5, 5)


def test_a_batch_that_cannot_be_compiled_is_given_up_with_the_larger_ones() -> None:
    model = Sized(gaining=16)
    compile_now = model.compile

    def refuse(form: Form, rows: int) -> None:
        if rows == 8:
            raise RuntimeError("no memory to compile")
        compile_now(form, rows)

    model.compile = refuse  # type: ignore[method-assign]
    assert settled(model) == (3, 3)


def test_a_batch_that_memory_does_not_suffice_for_is_tried_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warming, "AGAIN_SECONDS", 0.05)
    model = Sized(gaining=16)
    compile_now = model.compile
    refused: list[int] = []

    def refuse(form: Form, rows: int) -> None:
        if rows == 8 and len(refused) < 2:
            refused.append(rows)
            raise MemoryError
        compile_now(form, rows)

    model.compile = refuse  # type: ignore[method-assign]
    one = Warming(model, threading.Lock(), lambda: None)  # type: ignore[arg-type]
    end = time.monotonic() + 10
    while one.progress() != (5, 5) and time.monotonic() < end:
        time.sleep(0.01)
    one.close()
    assert (one.progress(), refused) == ((5, 5), [8, 8])


def test_a_batch_that_would_take_half_the_memory_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Sized(gaining=16)
    monkeypatch.setattr(memory, "available", lambda: 10 * 2**20)

    def measure(form: Form, rows: int) -> None:
        with mmap.mmap(-1, rows * 2**20) as block:  # what was freed before is not used again
            for at in range(0, len(block), mmap.PAGESIZE):
                block[at] = 1
            time.sleep(0.1)

    model.measure = measure  # type: ignore[method-assign]
    assert settled(model)[1] <= 3


def test_batch_sizes_that_went_for_another_size_come_back_when_there_is_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warming, "AGAIN_SECONDS", 0.05)
    model = Sized(gaining=16)
    one = Warming(model, threading.Lock(), lambda: None)  # type: ignore[arg-type]
    wait_for(lambda: one.progress() == (5, 5))
    model.made.clear()
    wait_for(lambda: one.progress() == (5, 5))
    one.close()


def test_warming_outlives_memory_that_is_full_wherever_it_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full() -> int:
        raise MemoryError

    monkeypatch.setattr(memory, "available", full)
    model = Sized(gaining=16)
    one = Warming(model, threading.Lock(), lambda: None)  # type: ignore[arg-type]
    one.want(Form((4, 4, 4)))
    wait_for(lambda: one.is_free and bool(model.made))
    one.want(Form((4, 8, 4)))
    wait_for(lambda: len(model.made) == 2)
    one.close()


def wait_for(told: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not told():
        assert time.monotonic() < end
        time.sleep(0.01)
