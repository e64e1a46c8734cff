import numpy as np

from training.diffusion import min_snr_weights
from triptych.models.kerascv import ALPHAS_CUMPROD


def test_min_snr_weights_favour_noisy_steps_and_average_one() -> None:
    weights = min_snr_weights(np.array(ALPHAS_CUMPROD))
    assert abs(weights.mean() - 1) < 1e-5
    assert weights[0] < 0.1 < weights[-1]
    assert (np.diff(weights) >= -1e-6).all()
