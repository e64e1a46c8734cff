"""What a request begins with where a picture came with it."""

from dataclasses import replace

from ..images import Picture
from ..requests import GenerateRequest, Inpainting
from .schemas import DEFAULT_STRENGTH


def begin(
    request: GenerateRequest, picture: Picture, inpainting: Inpainting | None, strength: float | None
) -> GenerateRequest:
    """With a mask, its part of the picture, all of it made anew where no `strength` is given; else the whole.

    Inpainting is of the picture's own size, so the model's is left open.
    """
    if inpainting is None:
        return replace(request, image=picture, strength=DEFAULT_STRENGTH if strength is None else strength)
    return replace(request, inpainting=inpainting, strength=None if strength == 1 else strength, size=None)
