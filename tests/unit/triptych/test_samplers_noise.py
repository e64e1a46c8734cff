import numpy as np

from triptych.samplers import NOISE, Noise

SHAPE = (8, 8, 4)
FIRST, SECOND = [1.5219693, -1.1441058, 1.1501616, -1.7846532], [-0.77149874, 1.0191615]
"""Of seed 7: four numbers, then two."""


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
