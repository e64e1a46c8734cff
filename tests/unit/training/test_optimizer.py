import jax
import jax.numpy as jnp
import numpy as np
import pytest

from training import optimizer

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("path", "shape", "muon"),
    [
        ("down_0_res/conv2d/kernel", (3, 3, 8, 8), True),
        ("block_0/dense/kernel", (8, 16), True),
        ("block_0/dense/bias", (16,), False),
        ("exit/conv2d/kernel", (3, 3, 8, 4), False),
        ("concept_exit/kernel", (8, 4), False),
        ("embedding/token_embedding/embeddings", (50, 8), False),
    ],
)
def test_muon_is_for_inner_kernels(path: str, shape: tuple[int, ...], muon: bool) -> None:
    assert optimizer.uses_muon(path, shape) is muon


def test_a_kernel_moves_by_nearly_orthogonal_steps_of_the_same_size() -> None:
    kernel = jnp.asarray(RNG.standard_normal((3, 3, 4, 8)), jnp.float32)
    gradient = jnp.asarray(RNG.standard_normal(kernel.shape), jnp.float32)
    state = optimizer.start([kernel], [True])
    moved, _ = optimizer.step([kernel], [gradient], state, [True], jnp.float32(0.1), 0.0)
    step = np.asarray(kernel - moved[0]).reshape(36, 8) / (0.1 * optimizer.RMS * 36**0.5)
    assert np.abs(np.linalg.svd(step, compute_uv=False) - 1).max() < 0.35


def test_kernels_of_one_shape_move_as_they_would_alone() -> None:
    kernels = [jnp.asarray(RNG.standard_normal((8, 6)), jnp.float32) for _ in range(3)]
    gradients = [0.1 * kernel for kernel in kernels]
    together, _ = optimizer.step(
        kernels, gradients, optimizer.start(kernels, [True] * 3), [True] * 3, jnp.float32(0.1), 0.0
    )
    alone, _ = optimizer.step(
        kernels[:1], gradients[:1], optimizer.start(kernels[:1], [True]), [True], jnp.float32(0.1), 0.0
    )
    assert np.allclose(together[0], alone[0], atol=2e-2)


def test_both_parts_find_the_least_of_a_bowl() -> None:
    values = [jnp.asarray(RNG.standard_normal((6, 6)), jnp.float32), jnp.ones(5)]
    muon = [True, False]
    state = optimizer.start(values, muon)
    step = jax.jit(lambda values, state: optimizer.step(values, values, state, muon, jnp.float32(0.1), 0.01))
    for _ in range(200):
        values, state = step(values, state)
    assert max(float(jnp.abs(value).max()) for value in values) < 0.2


def test_a_huge_gradient_is_clipped() -> None:
    value = [jnp.zeros(3)]
    state = optimizer.start(value, [False])
    _, huge = optimizer.step(value, [jnp.full(3, 1e6)], state, [False], jnp.float32(0.1), 0.0)
    assert float(jnp.linalg.norm(huge.first[0])) <= 0.1 + 1e-6
