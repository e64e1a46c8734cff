"""The built-in UNet for any number of rows."""

import threading
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from tests.tiny import LATENT, PICTURE
from triptych.decode import LatentDecoder
from triptych.denoise import Denoiser
from triptych.engine.unet import KEEPING, SHALLOW, Row, Unet
from triptych.requests import DenoiseSettings
from triptych.samplers import SAMPLERS
from triptych.schedule import make_schedule
from triptych.variants import VARIANTS
from triptych.weights import unreported

TINY = VARIANTS["tiny"]
RNG = np.random.default_rng(0)
CONTEXTS = RNG.standard_normal((9, *TINY.context)).astype(np.float32)


@pytest.fixture(scope="module")
def unet() -> Unet:
    return Unet(TINY, unreported)


def rows(count: int) -> list[Row]:
    latents = np.random.default_rng(count).standard_normal((count, *TINY.latent)).astype(np.float32)
    return [Row(latent, 40.0 * index, CONTEXTS[index]) for index, latent in enumerate(latents)]


def noises(unet: Unet, group: list[Row]) -> list[Any]:
    return [found.noise for found in unet.predict(group)]


def with_sizes(unet: Unet, monkeypatch: pytest.MonkeyPatch, *sizes: int) -> None:
    monkeypatch.setattr(unet, "sizes", list(sizes))
    for size in sizes:
        unet.compile(unet.native, size)


def counted(unet: Unet, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    part = unet._parts["whole"]

    class Counted:
        def __call__(self, **inputs: Any) -> Any:
            calls.append(len(inputs["latent"]))
            return part(**inputs)

        def __getattr__(self, name: str) -> Any:
            return getattr(part, name)

    monkeypatch.setitem(cast(dict[str, Any], unet._parts), "whole", Counted())
    return calls


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_rows_come_to_the_same_in_any_batch(unet: Unet, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with_sizes(unet, monkeypatch, 2, 1, 4)
    together = noises(unet, rows(count))
    single = [noises(unet, [row])[0] for row in rows(count)]
    np.testing.assert_allclose(together, single, atol=2e-5)


def test_a_batch_size_that_is_slower_by_the_row_is_not_used(
    unet: Unet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_sizes(unet, monkeypatch, 2, 1, 4)
    form = unet.native
    monkeypatch.setattr(unet, "_seconds", {(form, 1): 1.0, (form, 2): 1.2, (form, 4): 2.4})
    assert unet.capacity(form) == 2
    monkeypatch.setattr(unet, "_seconds", {(form, 1): 1.0, (form, 2): 1.2, (form, 4): 1.3})
    assert unet.capacity(form) == 4


def test_rows_are_padded_only_where_that_is_faster(unet: Unet, monkeypatch: pytest.MonkeyPatch) -> None:
    with_sizes(unet, monkeypatch, 2, 1, 4)
    calls = counted(unet, monkeypatch)
    form = unet.native
    monkeypatch.setattr(unet, "_seconds", {(form, 1): 1.0, (form, 2): 1.9, (form, 4): 4.0})
    unet.predict(rows(3))
    assert calls == [2, 1]
    calls.clear()
    monkeypatch.setattr(unet, "_seconds", {(form, 1): 1.0, (form, 2): 1.2, (form, 4): 1.3})
    unet.predict(rows(3))
    assert calls == [4]


def test_the_shallow_layers_with_what_the_deep_ones_find_come_to_the_whole(unet: Unet) -> None:
    group = rows(2)
    whole = noises(unet, group)
    kept = unet.predict([replace(row, run=KEEPING) for row in group])
    np.testing.assert_allclose([found.noise for found in kept], whole, atol=2e-5)
    assert all(found.deep is not None and found.deep.shape == (*LATENT[:2], 64) for found in kept)
    again = [replace(row, run=SHALLOW, deep=found.deep) for row, found in zip(group, kept, strict=True)]
    np.testing.assert_allclose(noises(unet, again), whole, atol=2e-5)


def test_where_memory_does_not_suffice_the_batch_is_halved_until_it_is_taken_back(
    unet: Unet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_sizes(unet, monkeypatch, 2, 1, 4)
    expected = noises(unet, rows(4))
    call = unet._call
    tried: list[int] = []

    def short_of_memory(group: Any, form: Any, size: int) -> Any:
        tried.append(size)
        if size > 2:
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes")
        return call(group, form, size)

    monkeypatch.setattr(unet, "_call", short_of_memory)
    np.testing.assert_allclose(noises(unet, rows(4)), expected, atol=2e-5)
    unet.predict(rows(4))
    assert tried == [4, 2, 2, 2, 2]
    assert unet.sizes == [2, 1]
    for _ in range(2):
        unet.take_back()
        assert unet.sizes == [2, 1, 4]
    assert unet.warm_sizes(unet.native) == [1, 2]


def test_the_last_batch_size_is_never_given_up(unet: Unet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one no request could be served any more, though there may soon be memory again."""
    with_sizes(unet, monkeypatch, 2, 1)
    call = unet._call

    def short_of_memory(group: Any, form: Any, size: int) -> Any:
        raise MemoryError

    monkeypatch.setattr(unet, "_call", short_of_memory)
    for _ in range(2):
        with pytest.raises(MemoryError):
            unet.predict(rows(2))
    unet.give_up(1, for_now=True)
    assert unet.sizes == [1]
    monkeypatch.setattr(unet, "_call", call)
    assert len(unet.predict(rows(2))) == 2
    unet.take_back()
    assert unet.sizes == [1, 2]


def test_another_error_is_not_taken_for_want_of_memory(unet: Unet, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(group: Any, form: Any, size: int) -> Any:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(unet, "_call", broken)
    before = list(unet.sizes)
    with pytest.raises(RuntimeError, match="the device is gone"):
        unet.predict(rows(2))
    assert unet.sizes == before


def settings(seed: int, **changes: Any) -> DenoiseSettings:
    return DenoiseSettings([seed], make_schedule(6), 4.0, PICTURE, **changes)


def test_a_picture_is_the_same_alone_and_in_a_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    """On two engines: one would give the latent that it has kept."""
    context, unconditional = CONTEXTS[:1], CONTEXTS[1:2]
    alone = Denoiser(TINY, unreported).latents(context, unconditional, settings(1))
    again = Denoiser(TINY, unreported).latents(context, unconditional, settings(1))
    np.testing.assert_array_equal(again, alone)
    monkeypatch.setenv("BATCH_ROWS", "4")
    crowded = Denoiser(TINY, unreported)
    _wait_for_warm(crowded)
    crowd = [
        crowded.start(CONTEXTS[2 + seed % 7 : 3 + seed % 7], unconditional, settings(seed, sampler=sampler))
        for seed, sampler in enumerate([SAMPLERS["euler_ancestral"], SAMPLERS["heun"]] * 4, start=10)
    ]
    in_crowd = crowded.start(context, unconditional, settings(1, client="other")).latents()
    for ticket in crowd:
        ticket.latents()
    decoder = LatentDecoder(TINY, unreported)
    difference = decoder.images(alone).astype(int) - decoder.images(in_crowd)
    assert np.abs(difference).max() <= 1


def _wait_for_warm(denoiser: Denoiser) -> None:
    over = threading.Event()
    while denoiser.engine.programs()[0] < denoiser.engine.programs()[1]:
        over.wait(0.05)
