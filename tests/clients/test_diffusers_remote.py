"""diffusers' own client of a VAE elsewhere, against the decoder and through the gateway."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import tiny
from tests.conftest import StageUrl

torch = pytest.importorskip("torch", reason="make test-parity installs PyTorch and diffusers")
remote = pytest.importorskip("diffusers.utils.remote_utils")
image_processor = pytest.importorskip("diffusers.image_processor")

SCALE = 0.18215
LATENT_SHAPE = (1, *tiny.LATENT[2:], *tiny.LATENT[:2])
DTYPES = ["float16", "float32", "bfloat16"]


@pytest.fixture(scope="module")
def latent() -> Any:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(LATENT_SHAPE, generator=generator)


@pytest.fixture(params=["decoder", "gateway"])
def vae(request: pytest.FixtureRequest, stage_url: StageUrl, gateway_url: str) -> dict[str, str]:
    """The two endpoints, of the decoder and of the gateway."""
    if request.param == "decoder":
        return {task: f"{stage_url('decoder')}/remote_{task}" for task in ("decode", "encode")}
    return {task: f"{gateway_url}/v1/remote/{task}" for task in ("decode", "encode")}


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image).astype(int)


def reference(vae: dict[str, str], latent: Any) -> np.ndarray[Any, Any]:
    """The picture of the latent, int (height, width, 3)."""
    made = remote.remote_decode(
        vae["decode"],
        latent,
        output_type="pt",
        return_type="pt",
        partial_postprocess=True,
        scaling_factor=SCALE,
    )
    assert (made.dtype, tuple(made.shape)) == (torch.uint8, (1, *tiny.IMAGE))
    picture: np.ndarray[Any, Any] = made[0].numpy().astype(int)
    return picture


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_come_back_as_they_went(vae: dict[str, str], latent: Any, dtype: str) -> None:
    given = latent.to(getattr(torch, dtype))
    made = remote.remote_decode(
        vae["decode"], given, output_type="pt", return_type="pt", scaling_factor=SCALE
    )
    assert (made.dtype, tuple(made.shape)) == (given.dtype, (1, 3, *tiny.PICTURE))
    shown = ((made[0].float().permute(1, 2, 0) + 1) * 127.5).clip(0, 255).round().numpy()
    assert np.abs(shown - reference(vae, given)).max() <= (0 if dtype == "float32" else 1)


def test_a_processor_makes_the_picture_of_a_tensor(vae: dict[str, str], latent: Any) -> None:
    image = remote.remote_decode(
        vae["decode"],
        latent,
        processor=image_processor.VaeImageProcessor(),
        output_type="pt",
        scaling_factor=SCALE,
    )
    assert np.abs(pixels(image) - reference(vae, latent)).max() <= 1


def test_partly_processed_tensors_become_a_picture(vae: dict[str, str], latent: Any) -> None:
    image = remote.remote_decode(
        vae["decode"], latent, output_type="pt", partial_postprocess=True, scaling_factor=SCALE
    )
    assert np.array_equal(pixels(image), reference(vae, latent))


@pytest.mark.parametrize(("image_format", "name", "off"), [("png", "png", 0), ("jpg", "jpeg", 6)])
def test_a_picture_comes_as_a_file(
    vae: dict[str, str], latent: Any, image_format: str, name: str, off: int
) -> None:
    image = remote.remote_decode(vae["decode"], latent, image_format=image_format, scaling_factor=SCALE)
    assert (image.format, image.size) == (name, tiny.PICTURE)
    assert np.abs(pixels(image) - reference(vae, latent)).mean() <= off


def test_a_processor_may_have_a_picture_of_values_from_0_to_1(vae: dict[str, str], latent: Any) -> None:
    two = torch.cat([latent, -latent])
    images = remote.remote_decode(
        vae["decode"],
        two,
        processor=image_processor.VaeImageProcessor(),
        output_type="pil",
        scaling_factor=SCALE,
    )
    assert len(images) == 2
    assert np.abs(pixels(images[0]) - reference(vae, latent)).max() <= 1


@pytest.mark.filterwarnings("ignore:.*do_scaling.*:FutureWarning")
def test_scaling_is_done_there_or_here(vae: dict[str, str], latent: Any) -> None:
    expected = reference(vae, latent)
    options = {"output_type": "pt", "partial_postprocess": True}
    by_default = remote.remote_decode(vae["decode"], latent, **options)
    beforehand = remote.remote_decode(vae["decode"], latent / SCALE, do_scaling=False, **options)
    shifted = remote.remote_decode(
        vae["decode"], (latent / SCALE - 0.1) * 0.5, scaling_factor=0.5, shift_factor=0.1, **options
    )
    assert np.array_equal(pixels(by_default), expected)
    assert np.abs(pixels(beforehand) - expected).max() <= 1
    assert np.abs(pixels(shifted) - expected).max() <= 1


def test_a_picture_is_encoded_and_decoded_again(
    vae: dict[str, str], stage_url: StageUrl, latent: Any
) -> None:
    image = Image.fromarray(reference(vae, latent).astype(np.uint8))
    found = remote.remote_encode(vae["encode"], image, scaling_factor=SCALE)
    assert (found.dtype, tuple(found.shape)) == (torch.float32, LATENT_SHAPE)
    raw = remote.remote_encode(vae["encode"], image)
    assert torch.allclose(raw * SCALE, found, atol=1e-5)
    shifted = remote.remote_encode(vae["encode"], image, scaling_factor=SCALE, shift_factor=0.1)
    assert torch.allclose((raw - 0.1) * SCALE, shifted, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tensor_is_encoded_in_its_own_dtype(vae: dict[str, str], latent: Any, dtype: str) -> None:
    image = Image.fromarray(reference(vae, latent).astype(np.uint8))
    # Contiguous: of any other tensor diffusers sends the memory of a copy that it has let go.
    tensor = image_processor.VaeImageProcessor().preprocess(image).to(getattr(torch, dtype)).contiguous()
    found = remote.remote_encode(vae["encode"], tensor, scaling_factor=SCALE)
    expected = remote.remote_encode(vae["encode"], image, scaling_factor=SCALE)
    assert (found.dtype, tuple(found.shape)) == (tensor.dtype, LATENT_SHAPE)
    assert (found.float() - expected).abs().max() < (1e-4 if dtype == "float32" else 0.1)


def test_what_is_wrong_is_told_as_json(vae: dict[str, str], latent: Any) -> None:
    with pytest.raises(RuntimeError, match="shape must be"):
        remote.remote_decode(vae["decode"], latent[:, :3], scaling_factor=SCALE)
    with pytest.raises(RuntimeError, match="must be"):
        remote.remote_decode(vae["decode"], torch.cat([latent, latent], dim=3), scaling_factor=SCALE)
    with pytest.raises(RuntimeError, match="must be"):
        remote.remote_encode(vae["encode"], Image.new("RGB", (100, 64)))
