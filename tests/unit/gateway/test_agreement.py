"""Whether stages run one model, seen from their shapes."""

import pytest

from gateway.agreement import find_clash, likely_shape
from gateway.info import Info


@pytest.mark.parametrize(
    ("tensor", "numbers", "shape"),
    [
        ("context", 77 * 768, (77, 768)),
        ("unconditional_context", 77 * 1024, (77, 1024)),
        ("latent", 64 * 64 * 4, (64, 64, 4)),
        ("image", 512 * 512 * 3, (512, 512, 3)),
        ("context", 100, None),
        ("latent", 64 * 32 * 4, None),
        ("latent", 0, None),
        ("context", 0, None),
    ],
)
def test_the_shape_of_a_row_of_numbers_is_guessed_where_one_makes_sense(
    tensor: str, numbers: int, shape: tuple[int, ...] | None
) -> None:
    assert likely_shape(tensor, numbers) == shape


def test_stages_that_fit_do_not_clash() -> None:
    encoder = Info(stage="text_encoder", shapes={"context": (77, 768)})
    diffusion = Info(stage="diffusion", shapes={"context": (77, 768), "latent": (64, 64, 4)})
    assert find_clash({"text_encoder": encoder, "diffusion": diffusion, "decoder": None}) is None


def test_two_that_do_not_fit_are_named_with_both_shapes() -> None:
    encoder = Info(stage="text_encoder", shapes={"context": (77, 768)})
    diffusion = Info(stage="diffusion", shapes={"context": (77, 1024)})
    clash = find_clash({"text_encoder": encoder, "diffusion": diffusion})
    assert clash is not None
    assert (clash.stage, clash.other) == ("diffusion", "text_encoder")
    assert "[77, 768]" in clash.error.message
    assert "[77, 1024]" in clash.error.message
