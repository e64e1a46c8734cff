"""The size of a request's pictures, among those that all of its stages can make."""

import math
from collections.abc import Iterable

from .errors import InvalidRequest
from .info import LATENT_FACTOR, Infos, Size, Sizes
from .requests import GenerateRequest

CONTRACT_SIZE = (512, 512)
"""A plain inpainting endpoint's picture: the stage contract's."""
UNSIZED_STAGES = ("text_encoder",)
"""Those that a picture's size does not concern."""


def settle_size(request: GenerateRequest, infos: Infos) -> tuple[Size | None, Size | None]:
    """What the model makes, and what the stages must be told; None where that is unknown, or their own size.

    Raises InvalidRequest for what some stage does not announce. Where none announces anything, the request
    is believed: it may know the plain endpoints.
    """
    own, common, fixed = offered_sizes(infos)
    if request.size is None or request.size == own:
        return own or (CONTRACT_SIZE if request.inpainting or request.image else None), None
    if common and common.has(request.size):
        return request.size, request.size
    if common or own:
        raise _refused(request.size, own, common, fixed)
    return request.size, None


def offered_sizes(infos: Infos) -> tuple[Size | None, Sizes | None, list[str]]:
    """The stages' own size, those that all of them have beside it, and the stages that have no other."""
    sized = {name: info for name, info in infos.items() if name not in UNSIZED_STAGES}
    fixed = [name for name, info in sized.items() if info is None or info.sizes is None]
    common = None if fixed else common_sizes(info.sizes for info in sized.values() if info and info.sizes)
    return _own_size(sized), common, fixed


def common_sizes(announced: Iterable[Sizes]) -> Sizes | None:
    """What all of them have, its bounds multiples too; None where that is nothing."""
    several = list(announced)
    multiple = math.lcm(*(sizes.multiple for sizes in several))
    least = math.ceil(max(sizes.min for sizes in several) / multiple) * multiple
    most = min(sizes.max for sizes in several) // multiple * multiple
    return Sizes(multiple=multiple, min=least, max=most) if least <= most else None


def _own_size(sized: Infos) -> Size | None:
    """What the stages make where no size is asked for; None where none of them announces it."""
    for tensor, factor in (("image", 1), ("latent", LATENT_FACTOR)):
        for info in sized.values():
            if info and tensor in info.shapes:
                height, width, _ = info.shapes[tensor]
                return width * factor, height * factor
    return None


def _refused(size: Size, own: Size | None, common: Sizes | None, fixed: list[str]) -> InvalidRequest:
    possible = []
    if common:
        possible.append(f"a multiple of {common.multiple} from {common.min} to {common.max} on each side")
    if own and not (common and common.has(own)):
        possible.append(_text(own))
    by = " and ".join(f"the {name} stage" for name in fixed) or "all stages"
    reason = "" if common else f", as no other is announced by {by}"
    return InvalidRequest(f"size must be {' or '.join(possible)}{reason}; got {_text(size)}.", field="size")


def _text(size: Size) -> str:
    return "x".join(map(str, size))
