import numpy as np
import pytest

from triptych.samplers import NOISE, NOISES, Noise, noise

SHAPE = (8, 8, 4)
FIRST, SECOND = [1.5219693, -1.1441058, 1.1501616, -1.7846532], [-0.77149874, 1.0191615]
"""Of seed 7: four numbers, then two."""
TORCH_FIRST = [1.926915, 1.487284, 0.900717, -2.105521]
TORCH_SECOND = [1.445134, 0.856413, 2.218076, 0.523166]


def test_noise_depends_on_the_seed_alone() -> None:
    first, again, other = (Noise.seeded(seed).draw(SHAPE)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first.dtype.name, first.shape) == ("float32", SHAPE)


def test_noise_of_this_name_is_these_numbers() -> None:
    assert NOISE == "pcg64-v1"
    first, source = Noise.seeded(7).draw((4,))
    np.testing.assert_array_equal(first, np.array(FIRST, np.float32))
    np.testing.assert_array_equal(source.draw((2,))[0], np.array(SECOND, np.float32))


def test_noise_is_that_of_numpys_generator_draw_after_draw() -> None:
    generator, source = np.random.Generator(np.random.PCG64(2**63 - 1)), Noise.seeded(2**63 - 1)
    for shape in (SHAPE, (3,), (5, 1), SHAPE):
        drawn, source = source.draw(shape)
        assert np.array_equal(drawn, generator.standard_normal(shape, np.float32))


def test_drawing_leaves_the_noise_that_was_drawn_from_as_it_was() -> None:
    source = Noise.seeded(1).draw((3,))[1]
    assert np.array_equal(source.draw(SHAPE)[0], source.draw(SHAPE)[0])


def test_a_generator_is_six_words_of_64_bits() -> None:
    words = Noise.seeded(5).draw((3,))[1].words
    assert len(words) == 6
    assert all(0 <= word < 2**64 for word in words)


def test_torchs_noise_is_these_numbers() -> None:
    """Of torch.randn((1, 4, 8, 8)) with a generator of seed 42: the first rows of two channels."""
    latent, _ = Noise.named("torch-cpu", 42).draw(SHAPE)
    np.testing.assert_allclose(latent[0, :4, 0], TORCH_FIRST, atol=1e-6)
    np.testing.assert_allclose(latent[0, :4, 1], TORCH_SECOND, atol=1e-6)


def test_torchs_noise_goes_on_where_it_was() -> None:
    source = Noise.named("torch-cpu", 3).draw(SHAPE)[1]
    again = Noise.of(source.words)
    assert np.array_equal(source.draw(SHAPE)[0], again.draw(SHAPE)[0])
    assert not np.array_equal(source.draw(SHAPE)[0], Noise.named("torch-cpu", 3).draw(SHAPE)[0])


@pytest.mark.parametrize(
    "words", [(), (1, 2, 3), (1, 2**40), (2**32, 5), (1, 2, 3, 4, 2, 5), (1, 2, 3, 4, 1, 2**32)]
)
def test_numbers_that_no_generator_has_are_refused(words: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="noise of"):
        Noise.of(words)


def test_each_noise_is_found_by_its_name() -> None:
    first, *others = (Noise.named(name, 1).draw(SHAPE)[0] for name in NOISES)
    assert all(np.abs(first - other).max() > 0.1 for other in others)


def test_torchs_noise_is_the_same_from_where_it_was_left_and_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(noise, "SKIP", 100)
    monkeypatch.setattr(noise, "KEPT_TWISTERS", 2)
    source, went_on = Noise.named("torch-cpu", 3), []
    for _ in range(5):
        latent, source = source.draw(SHAPE)
        went_on.append(latent)
    assert len(noise._left) == 2
    noise._left.clear()
    count = int(np.prod(SHAPE))
    for draws, latent in enumerate(went_on):
        np.testing.assert_array_equal(noise.TorchNoise((3, draws * count)).draw(SHAPE)[0], latent)
