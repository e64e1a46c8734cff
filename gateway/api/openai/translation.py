"""From OpenAI's bodies to the one request that the pipeline knows."""

from dataclasses import dataclass, replace

from ...errors import InvalidRequest
from ...images import Picture, check_mask, decode_base64, decode_mask, decode_picture
from ...requests import GenerateRequest, Inpainting
from ..beginning import begin
from .schemas import Edit, Generation

MASK_CONVENTION = "transparent-is-repaint"
PAINTED_ALPHA = 128


@dataclass(frozen=True)
class Order:
    """A request with what a client must be told of it. `size` is what the answer must have, if any."""

    request: GenerateRequest
    size: tuple[int, int] | None
    warnings: list[str]


def read_generation(body: Generation, model: str | None) -> Order:
    """Raises InvalidRequest for a sampler that nothing is near to."""
    sampling = body.sampling
    request = GenerateRequest(
        prompt=body.prompt,
        negative_prompt=body.negative_prompt or "",
        num_images=body.number,
        steps=body.steps,
        guidance_scale=body.guidance_scale,
        seed=body.seed,
        sampler=sampling.sampler,
        schedule=sampling.schedule,
        size=body.dimensions,
        model=model,
    )
    opaque = ["The background is opaque: the model makes no transparent ones."]
    warnings = opaque if body.background == "transparent" else []
    return Order(request, body.dimensions, [*sampling.warnings, *warnings])


def read_edit(body: Edit, model: str | None, max_pixels: int) -> Order:
    """Raises InvalidRequest for files that are no pictures, are too large or do not fit together."""
    order = read_generation(body, model)
    picture = decode_picture("image", decode_base64("image", body.image), max_pixels)
    size = order.size or picture.size
    request = begin(order.request, picture, _inpainting(body, picture, max_pixels), body.strength)
    return replace(order, request=request if request.inpainting else replace(request, size=size), size=size)


def _inpainting(body: Edit, picture: Picture, max_pixels: int) -> Inpainting | None:
    """By the mask, or else by the picture's own transparency; None where there is neither."""
    if body.mask is not None:
        mask = decode_mask("mask", decode_base64("mask", body.mask), max_pixels, MASK_CONVENTION)
        check_mask(picture, mask, "transparent where to repaint, it")
        return Inpainting(picture, mask)
    if picture.pixels.shape[-1] == 3:
        return None
    transparent = picture.pixels[..., 3] < PAINTED_ALPHA
    if not transparent.any():
        return None
    if transparent.all():
        raise InvalidRequest("image must have a part that is not transparent; got none.", field="image")
    return Inpainting(picture, transparent)
