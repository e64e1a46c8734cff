"""What every dialect translates to and from: one request, one result."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .images import Picture


@dataclass(frozen=True)
class Inpainting:
    """The picture to change and where: `repaint` is bool (height, width), True where it may change.

    `greys` is uint8 (height, width), how much each pixel may, 255 being wholly; None where a pixel may
    change or not. The model sees a window around what may change, or `whole` the picture.
    """

    picture: Picture
    repaint: npt.NDArray[np.bool_]
    num_resamples: int = 1
    greys: npt.NDArray[np.uint8] | None = None
    whole: bool = False


@dataclass(frozen=True)
class GenerateRequest:
    """What to make. None means that the stages decide; `size` is (width, height) in pixels.

    `seed_was_drawn` where nobody chose it. `model` names a fine-tuned one beside the standard one, which is
    None. `image` is what to begin with, and `strength`, from 0 to 1, how much of the denoising is done from
    there. Guidance is within the part of the steps from `guidance_start` to `guidance_end`, of 0 to 1.
    `noise` names what seeds draw from; all of the model is run in one call of `deep_interval`.
    `client` is who asks, for fairness between them.
    """

    prompt: str
    negative_prompt: str = ""
    num_images: int = 1
    steps: int | None = None
    guidance_scale: float | None = None
    seed: int | None = None
    sampler: str | None = None
    schedule: str | None = None
    size: tuple[int, int] | None = None
    inpainting: Inpainting | None = None
    model: str | None = None
    image: Picture | None = None
    strength: float | None = None
    guidance_start: float | None = None
    guidance_end: float | None = None
    noise: str | None = None
    deep_interval: int | None = None
    client: str = ""
    seed_was_drawn: bool = False


@dataclass(frozen=True)
class StageCall:
    """What one stage took: the replica that answered, bytes of both bodies, the model as announced.

    `resumed_at` are the steps at which attempts went on from where the one before had been.
    `seconds` is wall clock from the first attempt to the answer. Of these, waiting is for other attempts, for
    an endpoint to wake, and in the stage's queue; computing is in its handler; the rest is on the wire. The
    last two are None where the stage does not announce them. `cache_hits` is how much of what the stage
    looked for among what it keeps was there (contexts, latents, pictures), `cache_misses` how much was not.
    """

    stage: str
    replica: str
    attempts: int
    resumed_at: list[int]
    seconds: float
    seconds_waiting: float
    seconds_computing: float | None
    seconds_on_the_wire: float | None
    bytes_sent: int
    bytes_received: int
    model: str | None
    model_hash: str | None
    cache_hits: int | None = None
    cache_misses: int | None = None


@dataclass(frozen=True)
class GenerateResult:
    """The pictures, with the values that were really used and what each stage did.

    `size` is (width, height) of what the model made, which a picture that was inpainted may exceed.
    `seeds` has one entry a picture, None where the stage does not say that it obeys seeds.
    `model` and `model_hash` are what the denoising stage announces, None for a plain endpoint.
    """

    pictures: list[Picture]
    seeds: list[int | None]
    steps: int
    guidance_scale: float
    size: tuple[int, int]
    model: str | None
    model_hash: str | None
    calls: list[StageCall]
    seconds: float
    warnings: list[str]
