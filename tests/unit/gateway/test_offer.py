"""The size that comes nearest, of those that can be made."""

import pytest

from gateway.info import Info, Sizes
from gateway.offer import Offer, make_offer, nearest_size

SIZES = Sizes(multiple=64, min=256, max=1024)
Size = tuple[int, int]


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ((512, 512), (512, 512)),
        ((500, 700), (512, 704)),
        ((64, 64), (256, 256)),
        ((2048, 2048), (1024, 1024)),
        ((1792, 1024), (1024, 576)),
        ((100, 200), (256, 512)),
        ((1, 8192), (256, 1024)),
    ],
)
def test_the_nearest_size_has_nearly_the_same_proportions(asked: Size, made: Size) -> None:
    assert nearest_size(asked, SIZES) == made


def test_the_stages_own_size_is_not_asked_for() -> None:
    offer = Offer((512, 512), SIZES, 4, 20)
    assert offer.nearest((512, 512)) is None
    assert offer.nearest((500, 700)) == (512, 704)
    assert Offer((512, 512), None, 4, 20).nearest((500, 700)) is None


def test_an_offer_is_what_all_stages_announce() -> None:
    infos = {
        "text_encoder": Info(stage="text_encoder", shapes={}, limits={"batch_size": 8}),
        "diffusion": Info(
            stage="diffusion",
            shapes={"latent": (8, 8, 4)},
            sizes=SIZES,
            limits={"batch_size": 4},
            defaults={"num_steps": 30},
        ),
        "decoder": Info(stage="decoder", shapes={"image": (64, 64, 3)}, sizes=SIZES),
    }
    assert make_offer(infos) == Offer((64, 64), SIZES, 4, 30)


def test_of_plain_endpoints_nothing_is_known() -> None:
    offer = make_offer({"diffusion": None, "decoder": None})
    assert (offer.own, offer.sizes, offer.images, offer.steps) == (None, None, 16, 25)
