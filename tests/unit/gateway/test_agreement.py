"""Whether stages run one model, seen from their shapes."""

import pytest

from gateway.agreement import find_clash, find_misfit, likely_shape
from gateway.errors import Origin
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
    assert clash.error.origin == Origin("diffusion", None)
    assert "[77, 768]" in clash.error.message
    assert "[77, 1024]" in clash.error.message


def announcing(stage: str, width: int | None) -> Info | None:
    """A replica whose contexts are so wide; a plain endpoint without a width."""
    return Info(stage=stage, shapes={"context": (77, width)}) if width else None


@pytest.mark.parametrize(
    ("encoders", "denoisers", "misfit"),
    [
        ([16, 8], [8], "text_encoder"),
        ([16, 8], [8, 8], "text_encoder"),
        ([16, 8], [8, 16, 8], "text_encoder"),
        ([16, None], [8, 8], "text_encoder"),
        ([8], [16, 8], "diffusion"),
        ([8, 8], [16, 8], "diffusion"),
        ([8, 16, 8], [16, 8], "diffusion"),
        ([8], [16, 16, 8], "diffusion"),
        ([16], [8], None),
        ([16], [8, 8], None),
        ([16, 16], [8, 8], None),
    ],
)
def test_of_two_that_do_not_fit_the_one_is_passed_over_that_others_contradict(
    encoders: list[int | None], denoisers: list[int | None], misfit: str | None
) -> None:
    """The first of each stage is the one that was chosen."""
    stages = {
        stage: [announcing(stage, width) for width in widths]
        for stage, widths in (("text_encoder", encoders), ("diffusion", denoisers))
    }
    clash = find_clash({stage: replicas[0] for stage, replicas in stages.items()})
    assert clash is not None
    others = {stage: replicas[1:] for stage, replicas in stages.items()}
    assert find_misfit(clash, others) == misfit
