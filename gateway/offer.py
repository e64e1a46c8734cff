"""What the stages of a request's way can do together, for those who take what is nearest."""

from dataclasses import dataclass

from .info import Infos, Size, Sizes
from .plan import DEFAULT_STEPS, most_images
from .sizes import offered_sizes


@dataclass(frozen=True)
class Offer:
    """`own` is the size made where none is asked for, None where no stage announces it; `sizes` are those
    beside it. `images` can be made at a time, in `steps` where the request leaves them open."""

    own: Size | None
    sizes: Sizes | None
    images: int
    steps: int

    def nearest(self, size: Size) -> Size | None:
        """Of the sizes that can be made the one nearest to this, of nearly the same proportions; None where
        nothing is announced, or where it is the stages' own."""
        if size == self.own or self.sizes is None:
            return None
        return nearest_size(size, self.sizes)


def make_offer(infos: Infos) -> Offer:
    """Of what the stages announce."""
    own, sizes, _ = offered_sizes(infos)
    steps = [info.defaults["num_steps"] for info in infos.values() if info and "num_steps" in info.defaults]
    return Offer(own, sizes, most_images(infos), int(min(steps, default=DEFAULT_STEPS)))


def nearest_size(size: Size, sizes: Sizes) -> Size:
    """Scaled as a whole into the bounds first, so that the proportions stay where they can."""
    scale = min(1.0, sizes.max / max(size))
    scale = max(scale, min(sizes.min / min(size), sizes.max / max(size)))
    width, height = (_nearest_side(side * scale, sizes) for side in size)
    return width, height


def _nearest_side(side: float, sizes: Sizes) -> int:
    return min(max(round(side / sizes.multiple) * sizes.multiple, sizes.min), sizes.max)
