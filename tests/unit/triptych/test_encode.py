import numpy as np

from triptych.encode import latent_mask


def test_a_latent_cell_is_kept_if_any_of_its_pixels_is() -> None:
    keep = np.zeros((64, 64, 1), np.uint8)
    keep[8, 15] = 1
    pooled = latent_mask(keep)
    assert pooled.shape == (8, 8, 1)
    assert pooled.sum() == 1
    assert pooled[1, 1, 0] == 1


def test_a_mask_of_255_keeps_as_much_as_one_of_1() -> None:
    keep = np.ones((64, 64, 1), np.uint8)
    assert np.array_equal(latent_mask(keep * 255), latent_mask(keep))
