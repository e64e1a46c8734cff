import pytest

from triptych.variants import VARIANTS, chosen_variant

PARTS = {"text_encoder", "diffusion", "decoder", "image_encoder"}


def test_the_built_in_model_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SD_VERSION", raising=False)
    assert chosen_variant().name == "tiny"


def test_the_environment_chooses_the_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SD_VERSION", "1.4")
    assert chosen_variant().title == "Stable Diffusion 1.4"


def test_an_unknown_version_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SD_VERSION", "3")
    with pytest.raises(ValueError, match=r"SD_VERSION must be one of tiny, 1.4, 2; got '3'"):
        chosen_variant()


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_has_every_part_and_consistent_shapes(name: str) -> None:
    variant = VARIANTS[name]
    assert set(variant.parts) == PARTS
    shapes = variant.shapes("context", "latent", "image", "mask")
    side = variant.image_size
    assert shapes["latent"] == (side // 8, side // 8, 4)
    assert shapes["image"] == (side, side, 3)
    assert shapes["mask"] == (side, side, 1)
    assert shapes["context"] == (77, variant.context_width)
