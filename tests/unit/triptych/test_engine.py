"""Many requests, one batch."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.engine_model import SHAPE, Model, alone, engine_of, order, submit
from triptych.engine import Guidance, Ticket
from triptych.engine.unet import Form, Row
from triptych.preview import STABLE_DIFFUSION
from triptych.samplers import Known, State
from triptych.wire import Cancelled, Tensors

WIDE = (8, 16, 4)


def wait_until(told: object, seconds: float = 10) -> None:
    assert callable(told)
    end = time.monotonic() + seconds
    while not told():
        assert time.monotonic() < end
        time.sleep(0.002)


def widths(model: Model) -> list[int]:
    return [len(rows) for rows in model.calls]


def calls_until_done(model: Model, ticket: Ticket) -> int:
    """Opens the gate, and counts the calls until the ticket is done, in the engine's own thread."""
    counted: list[int] = []
    ticket.watch(lambda: counted.append(len(model.calls)) if ticket.done else None)
    model.gate.set()
    ticket.latents()
    wait_until(lambda: counted)
    return counted[0]


def test_different_requests_share_each_call_and_come_to_what_they_are_alone() -> None:
    model = Model(capacity=64)
    engine = engine_of(model)
    mask = np.zeros((8, 8, 1), np.float32)
    mask[:4] = 1
    known = Known(np.ones(SHAPE, np.float32), mask, resamples=2)
    orders = [
        order(1),
        order(2, steps=7, scale=1.0),
        order(3, steps=5, sampler="dpmpp_2m"),
        order(4, sampler="euler_ancestral", context=0.4),
        order(5, steps=3, sampler="heun"),
        order(6, known=known),
        order(7, steps=6, guidance=Guidance(5.0, 0.3, 0.7)),
    ]
    model.gate.clear()
    tickets = [submit(engine, one) for one in orders]
    model.gate.set()
    for one, ticket in zip(orders, tickets, strict=True):
        np.testing.assert_allclose(ticket.latents()[0], alone(one), rtol=1e-5, atol=1e-5)
    assert max(widths(model)) >= 12


def test_a_request_joins_between_two_steps_and_leaves_when_it_is_done() -> None:
    model = Model(capacity=64)
    engine = engine_of(model)
    model.gate.clear()
    long = submit(engine, order(1, steps=6))
    model.entered.acquire()
    short = submit(engine, order(2, steps=2))
    model.gate.set()
    long.latents(), short.latents()
    assert widths(model) == [2, 4, 4, 2, 2, 2]


def test_a_step_without_guidance_needs_the_conditional_half_alone() -> None:
    model = Model()
    submit(engine_of(model), order(steps=5, guidance=Guidance(4.0, 0.2, 0.6))).latents()
    assert widths(model) == [1, 2, 2, 1, 1]


def test_all_pictures_of_a_request_are_one_ticket() -> None:
    model = Model(capacity=64)
    orders = [order(seed) for seed in range(3)]
    latents = submit(engine_of(model), *orders).latents()
    np.testing.assert_allclose(latents, [alone(one) for one in orders], rtol=1e-5, atol=1e-5)
    assert widths(model) == [6, 6, 6, 6]


def test_requests_know_with_whom_they_shared_calls() -> None:
    model = Model(capacity=64)
    engine = engine_of(model)
    model.gate.clear()
    tickets = [submit(engine, order(seed)) for seed in range(3)]
    for ticket, origin in zip(tickets, "abc", strict=True):
        ticket.origin = origin
    model.gate.set()
    for ticket in tickets:
        ticket.latents()
    assert [ticket.companions() for ticket in tickets] == [{"b", "c"}, {"a", "c"}, {"a", "b"}]
    alone_now = submit(engine, order(9))
    alone_now.origin = "d"
    alone_now.latents()
    assert alone_now.companions() == set()


def test_no_more_rows_share_a_call_than_is_fast() -> None:
    model = Model(capacity=5)
    engine = engine_of(model)
    model.gate.clear()
    tickets = [submit(engine, order(seed)) for seed in range(6)]
    model.gate.set()
    for ticket in tickets:
        ticket.latents()
    assert max(widths(model)) == 4


def test_the_same_request_twice_at_a_time_is_computed_once() -> None:
    model = Model()
    engine = engine_of(model)
    model.gate.clear()
    tickets = [submit(engine, order(1)) for _ in range(3)]
    model.gate.set()
    first, *others = [ticket.latents() for ticket in tickets]
    assert all(np.array_equal(first, other) for other in others)
    assert widths(model) == [2, 2, 2, 2]


def test_a_latent_made_lately_is_not_made_again() -> None:
    model = Model()
    engine = engine_of(model)
    first = submit(engine, order(1)).latents()
    again = submit(engine, order(1))
    assert again.done
    assert again.progress.step == again.progress.steps == 4
    np.testing.assert_array_equal(first, again.latents())
    submit(engine, order(1, context=0.2)).latents()
    assert len(model.calls) == 8


def test_a_cancelled_request_takes_no_further_step() -> None:
    model = Model()
    engine = engine_of(model)
    model.gate.clear()
    ticket = submit(engine, order(steps=50))
    model.entered.acquire()
    ticket.cancel()
    model.gate.set()
    with pytest.raises(Cancelled, match="the request was cancelled"):
        ticket.latents()
    submit(engine, order(9, steps=1)).latents()
    assert len(model.calls) == 2
    assert engine.seconds_of_work() == 0


def test_cancelling_one_of_two_equal_requests_leaves_the_other_its_picture() -> None:
    model = Model()
    engine = engine_of(model)
    model.gate.clear()
    one, other = submit(engine, order(1)), submit(engine, order(1))
    one.cancel()
    model.gate.set()
    np.testing.assert_allclose(other.latents()[0], alone(order(1)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m", "euler_ancestral", "heun"])
def test_another_engine_goes_on_from_where_one_was(sampler: str) -> None:
    one = order(3, steps=8, sampler=sampler)
    tickets: list[Ticket] = []
    seen: list[Tensors] = []
    model = Model(before=lambda rows: seen.append(tickets[0].states()))
    model.gate.clear()
    tickets.append(submit(engine_of(model), one))
    model.gate.set()
    undisturbed = tickets[0].latents()
    for states in seen:
        second = Model()
        state = State.of_travelled({name[2:]: array for name, array in states.items()}, SHAPE)
        ticket = engine_of(second).submit([one], [state], "", lambda x: Tensors(latent=x), STABLE_DIFFUSION)
        np.testing.assert_array_equal(ticket.latents(), undisturbed)
    assert len(second.calls) == 1


def test_deep_layers_are_run_in_one_call_of_so_many() -> None:
    model = Model()
    submit(engine_of(model), order(steps=7, deep_interval=3)).latents()
    runs = [rows[0].run for rows in model.calls]
    assert runs == ["keeping", "shallow", "shallow", "keeping", "shallow", "shallow", "keeping"]


def test_where_guidance_begins_or_ends_deep_layers_are_run_anew() -> None:
    model = Model()
    guidance = Guidance(3.0, 0.0, 0.5)
    submit(engine_of(model), order(steps=4, deep_interval=4, guidance=guidance)).latents()
    assert [(rows[0].run, len(rows)) for rows in model.calls] == [
        ("keeping", 2),
        ("shallow", 2),
        ("keeping", 1),
        ("shallow", 1),
    ]


def test_a_state_of_reused_features_is_one_that_needs_none_of_them() -> None:
    one = order(3, steps=8, deep_interval=3)
    tickets: list[Ticket] = []
    seen: list[Tensors] = []
    model = Model(before=lambda rows: seen.append(tickets[0].states()))
    model.gate.clear()
    tickets.append(submit(engine_of(model), one))
    model.gate.set()
    undisturbed = tickets[0].latents()
    for states in seen:
        state = State.of_travelled({name[2:]: array for name, array in states.items()}, SHAPE)
        assert state.step % 3 == 0
        ticket = engine_of(Model()).submit([one], [state], "", lambda x: Tensors(latent=x), STABLE_DIFFUSION)
        np.testing.assert_array_equal(ticket.latents(), undisturbed)


def test_a_call_that_fails_fails_those_in_it_and_nobody_else() -> None:
    def break_on_the_large(rows: Sequence[Row]) -> None:
        if any(row.context.mean() > 50 for row in rows):
            raise RuntimeError("it broke")

    model = Model(before=break_on_the_large)
    engine = engine_of(model)
    with pytest.raises(RuntimeError, match="it broke"):
        submit(engine, order(1, context=100.0)).latents()
    np.testing.assert_allclose(submit(engine, order(2)).latents()[0], alone(order(2)), rtol=1e-5, atol=1e-5)


def test_memory_that_is_full_where_nobody_expects_it_fails_who_is_there_and_not_the_engine() -> None:
    model = Model()
    engine = engine_of(model)
    capacity, full = model.capacity, [MemoryError()]

    def once(form: Form) -> int:
        if full:
            raise full.pop()
        return capacity(form)

    model.capacity = once  # type: ignore[method-assign]
    with pytest.raises(MemoryError):
        submit(engine, order(1)).latents()
    np.testing.assert_allclose(submit(engine, order(2)).latents()[0], alone(order(2)), rtol=1e-5, atol=1e-5)


def test_a_state_that_a_sampler_cannot_go_on_from_fails_its_request_and_nobody_else() -> None:
    engine = engine_of(Model())
    broken = order(1, sampler="dpmpp_2m")
    latent = broken.start.latent
    state = replace(broken.start, step=1, memory=(latent, latent))
    ticket = engine.submit([broken], [state], "", lambda x: Tensors(latent=x), STABLE_DIFFUSION)
    with pytest.raises(ValueError, match="too many values"):
        ticket.latents()
    np.testing.assert_allclose(submit(engine, order(2)).latents()[0], alone(order(2)), rtol=1e-5, atol=1e-5)


def test_a_failure_of_a_shared_call_fails_only_those_that_fail_alone() -> None:
    def break_on_the_large(rows: Sequence[Row]) -> None:
        if any(row.context.mean() > 50 for row in rows):
            raise RuntimeError("it broke")

    model = Model(capacity=64, before=break_on_the_large)
    engine = engine_of(model)
    model.gate.clear()
    good, bad = submit(engine, order(1)), submit(engine, order(2, context=100.0))
    model.gate.set()
    with pytest.raises(RuntimeError, match="it broke"):
        bad.latents()
    np.testing.assert_allclose(good.latents()[0], alone(order(1)), rtol=1e-5, atol=1e-5)


def test_a_client_with_a_hundred_requests_does_not_starve_another() -> None:
    model = Model(capacity=2)
    engine = engine_of(model)
    model.gate.clear()
    crowd = [submit(engine, order(seed, steps=4), client="crowd") for seed in range(100)]
    single = submit(engine, order(500, steps=4), client="single")
    assert calls_until_done(model, single) <= 1 + 2 * 4
    for ticket in crowd:
        ticket.cancel()


def test_a_short_request_does_not_wait_for_long_ones() -> None:
    model = Model(capacity=2)
    engine = engine_of(model)
    model.gate.clear()
    long = [submit(engine, order(seed, steps=100)) for seed in range(5)]
    short = submit(engine, order(50, steps=4))
    assert calls_until_done(model, short) <= 6
    for ticket in long:
        ticket.cancel()


def test_a_size_that_is_not_compiled_holds_up_nobody() -> None:
    model = Model()
    compiling: list[tuple[int, ...]] = []
    tickets: list[Ticket] = []
    compile_now = model.compile

    def compile_late(form: Form, rows: int) -> None:
        compiling.append(form.shape)
        if form.shape == WIDE:
            wait_until(lambda: tickets and tickets[0].done)
        compile_now(form, rows)

    model.compile = compile_late  # type: ignore[method-assign]
    engine = engine_of(model)
    wide = submit(engine, order(1, shape=WIDE))
    tickets.append(submit(engine, order(2)))
    assert wide.latents().shape == (1, *WIDE)
    assert WIDE in compiling


def test_a_size_that_cannot_be_compiled_fails_its_requests_alone() -> None:
    model = Model()

    def refuse(form: Form, rows: int) -> None:
        if form.shape == WIDE:
            raise ValueError("no program for this size")

    model.compile = refuse  # type: ignore[method-assign]
    engine = engine_of(model)
    with pytest.raises(ValueError, match="no program for this size"):
        submit(engine, order(1, shape=WIDE)).latents()
    submit(engine, order(2)).latents()


def test_a_size_that_could_not_be_compiled_is_compiled_for_the_next_who_asks() -> None:
    model = Model()
    compile_now, full = model.compile, [MemoryError()]

    def once(form: Form, rows: int) -> None:
        if form.shape == WIDE and full:
            raise full.pop()
        compile_now(form, rows)

    model.compile = once  # type: ignore[method-assign]
    engine = engine_of(model)
    with pytest.raises(MemoryError):
        submit(engine, order(1, shape=WIDE)).latents()
    assert submit(engine, order(1, shape=WIDE)).latents().shape == (1, *WIDE)


def test_progress_tells_place_steps_and_time() -> None:
    model = Model(capacity=2)
    engine = engine_of(model)
    submit(engine, order(99)).latents()
    model.calls.clear()
    model.gate.clear()
    first = submit(engine, order(1, steps=5))
    wait_until(lambda: first.progress.state == "running")
    second, third = submit(engine, order(2, steps=5)), submit(engine, order(3, steps=5))
    assert (first.progress.state, first.progress.step, first.progress.steps) == ("running", 0, 5)
    assert (second.progress.state, second.progress.ahead) == ("queued", 0)
    assert third.progress.ahead == 1
    assert third.progress.seconds_left is not None
    notices: list[int] = []
    third.watch(lambda: notices.append(third.progress.step))
    model.gate.set()
    third.latents()
    wait_until(lambda: notices[-1] == 5)
    assert notices == sorted(notices)
    assert third.progress.seconds_left == 0


def test_a_preview_shows_the_picture_as_it_is_now() -> None:
    model = Model()
    engine = engine_of(model)
    model.gate.clear()
    ticket = submit(engine, order(1), order(2))
    assert [preview.shape for preview in ticket.previews()] == [(8, 8, 3), (8, 8, 3)]
    model.gate.set()
    ticket.latents()
    assert ticket.previews()[0].dtype == np.uint8


def test_work_left_is_counted_in_seconds() -> None:
    model = Model(before=lambda rows: time.sleep(0.01))
    engine = engine_of(model)
    submit(engine, order(1)).latents()
    model.gate.clear()
    ticket = submit(engine, order(2, steps=100))
    assert 0.5 < engine.seconds_of_work() < 10
    ticket.cancel()
    model.gate.set()


class OneSize(Model):
    """A model with room for the programs of one size."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(before=self._check)
        self.made: list[Form] = []
        self._seconds = seconds

    def _check(self, rows: Sequence[Row]) -> None:
        assert rows[0].form in self.compiled, "called without a program"
        time.sleep(self._seconds)

    def has_room(self, form: Form) -> bool:
        return not self.compiled

    def make_room(self, form: Form) -> None:
        self.compiled.clear()

    def compile(self, form: Form, rows: int) -> None:
        self.made.append(form)
        super().compile(form, rows)


def sized(width: int) -> tuple[int, int, int]:
    return (8, 8 * width, 4)


def test_a_size_that_goes_for_another_when_it_was_chosen_is_not_called_and_comes_back() -> None:
    model = OneSize()
    capacity, goes = model.capacity, [True]

    def goes_once(form: Form) -> int:
        if goes:
            goes.pop()
            model.make_room(form)
        return capacity(form)

    model.capacity = goes_once  # type: ignore[method-assign]
    engine = engine_of(model)
    np.testing.assert_allclose(submit(engine, order(1)).latents()[0], alone(order(1)), rtol=1e-5, atol=1e-5)
    assert model.made == [Form(SHAPE)]


def test_a_size_that_has_the_place_keeps_it_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triptych.engine.engine.PATIENCE", 0.5)
    model = OneSize(seconds=0.02)
    engine = engine_of(model)
    tickets = [submit(engine, order(width, shape=sized(width), steps=10)) for width in (2, 3, 4, 5)]
    for ticket in tickets:
        ticket.latents()
    assert [form.shape for form in model.made] == [sized(width) for width in (2, 3, 4, 5)]


def test_a_size_that_nobody_waits_for_any_more_is_not_compiled() -> None:
    model = Model()
    begun, go_on, made = threading.Event(), threading.Event(), list[Form]()

    def slow(form: Form, rows: int) -> None:
        if form.shape != SHAPE:
            made.append(form)
            begun.set()
            assert go_on.wait(10)
        model.compiled.add(form)

    model.compile = slow  # type: ignore[method-assign]
    engine = engine_of(model)
    tickets = [submit(engine, order(1, shape=sized(width))) for width in range(2, 10)]
    assert begun.wait(10)
    for ticket in tickets:
        ticket.cancel()
    go_on.set()
    submit(engine, order(2)).latents()
    assert submit(engine, order(1, shape=sized(20))).latents().shape == (1, *sized(20))
    assert [form.shape for form in made] == [sized(2), sized(20)]


def test_why_a_size_could_not_be_compiled_is_not_told_to_those_who_came_later() -> None:
    model = Model()
    begun, go_on, full = threading.Event(), threading.Event(), [MemoryError()]
    compile_now = model.compile

    def once(form: Form, rows: int) -> None:
        if form.shape == WIDE and full:
            begun.set()
            assert go_on.wait(10)
            raise full.pop()
        compile_now(form, rows)

    model.compile = once  # type: ignore[method-assign]
    engine = engine_of(model)
    gone = submit(engine, order(1, shape=WIDE))
    assert begun.wait(10)
    gone.cancel()
    go_on.set()
    wait_until(lambda: engine.warming.is_free)
    assert submit(engine, order(2, shape=WIDE)).latents().shape == (1, *WIDE)


def test_what_is_done_holds_no_memory() -> None:
    """Cycles are looked for late where many objects are old."""
    engine = engine_of(Model())
    gc.collect()
    gc.disable()
    try:
        ticket = submit(engine, order(1), order(2))
        ticket.latents()
        left = [weakref.ref(one) for one in (ticket, *ticket.jobs)]
        submit(engine, order(3)).latents()  # the engine's thread is past it
        del ticket
        wait_until(lambda: not any(one() for one in left))
    finally:
        gc.enable()


def test_memory_that_is_full_when_somebody_is_told_leaves_nobody_waiting() -> None:
    """Nor the engine at an end, though it is so again when it tells the others of it."""
    model = Model()
    engine = engine_of(model)
    model.gate.clear()
    tickets = [submit(engine, order(seed)) for seed in (1, 2)]
    for ticket in tickets:
        ticket.watch(raising_once(ticket))
    model.gate.set()
    wait_until(lambda: all(ticket.done for ticket in tickets) and not engine._tickets)
    last = submit(engine, order(3))
    wait_until(lambda: last.done)
    last.latents()


def raising_once(ticket: Ticket) -> Callable[[], None]:
    full = [MemoryError()]

    def notice() -> None:
        if full and ticket.done:
            raise full.pop()

    return notice
