"""What a request comes to, once the stages have said what they offer."""

import secrets
from dataclasses import dataclass, replace

from .errors import InvalidRequest
from .info import Info, Infos, Size, announces
from .requests import GenerateRequest
from .sizes import settle_size

DEFAULT_STEPS = 25
DEFAULT_GUIDANCE_SCALE = 7.5
MAX_IMAGES = 16
MAX_STEPS = 1000
"""The four of them count where a stage announces nothing of its own."""
MAX_SEED = 2**63 - 1
HANDED_ON = {
    "sampler": "sampler",
    "schedule": "schedule",
    "strength": "strength",
    "guidance_start": "guidance_interval",
    "guidance_end": "guidance_interval",
    "noise": "noise",
    "deep_interval": "deep_interval",
}
"""Fields of a request that denoising takes under the same name, where they are given, and the extra that a
stage announces which obeys them."""
RANDOM_SEEDS = 2**32
"""Seeds drawn here stay exact in JavaScript, and in the seed boxes of other programs."""


@dataclass(frozen=True)
class Plan:
    """A request without open questions: a stage that is asked twice is asked the same.

    `size` is what the model makes, None where nothing announces it and only its answer can tell;
    `chosen_size` is what the stages must be told, None where that is their own size.
    """

    request: GenerateRequest
    steps: int
    guidance_scale: float
    seed: int
    size: Size | None
    chosen_size: Size | None

    def seeds(self, info: Info | None) -> list[int | None]:
        """Of each picture, None where the denoiser that made it does not announce that it obeys seeds."""
        obeyed = announces(info, "seed")
        return [self.seed + index if obeyed else None for index in range(self.request.num_images)]


def make_plan(request: GenerateRequest, infos: Infos, denoiser: str) -> Plan:
    """Fills in what the request leaves open. InvalidRequest where a stage announces a lower limit."""
    info = infos[denoiser]
    defaults = info.defaults if info else {}
    steps = request.steps or int(defaults.get("num_steps", DEFAULT_STEPS))
    guidance_scale = request.guidance_scale
    if guidance_scale is None:
        guidance_scale = defaults.get("unconditional_guidance_scale", DEFAULT_GUIDANCE_SCALE)
    _check_limits(replace(request, steps=steps), infos, denoiser)
    seed = draw_seed() if request.seed is None else request.seed
    return Plan(request, steps, guidance_scale, seed, *settle_size(request, infos))


def draw_seed() -> int:
    return secrets.randbelow(RANDOM_SEEDS)


def _check_limits(request: GenerateRequest, infos: Infos, denoiser: str) -> None:
    info = infos[denoiser]
    _check_range("num_images", request.num_images, most_images(infos))
    _check_range("steps", request.steps or 0, info.limits.get("num_steps", MAX_STEPS) if info else MAX_STEPS)
    _check_interval(request)
    if request.seed is not None and request.seed + request.num_images - 1 > MAX_SEED:
        raise InvalidRequest(
            f"seed must be at most {MAX_SEED - request.num_images + 1} for {request.num_images} images, "
            f"each has the next seed; got {request.seed}.",
            field="seed",
        )
    if info:
        _check_known("sampler", request.sampler, info.samplers)
        _check_known("schedule", request.schedule, info.schedules)
        _check_resampling(request, info.resampling)


def most_images(infos: Infos) -> int:
    """How many pictures all stages take at a time."""
    batches = [info.limits["batch_size"] for info in infos.values() if info and "batch_size" in info.limits]
    return min(batches, default=MAX_IMAGES)


def _check_range(field: str, value: int, limit: int) -> None:
    if not 1 <= value <= limit:
        raise InvalidRequest(f"{field} must be 1 to {limit}; got {value}.", field=field)


def _check_interval(request: GenerateRequest) -> None:
    start, end = request.guidance_start, request.guidance_end
    if start is not None and end is not None and start > end:
        message = f"guidance_end must be at least guidance_start, {start:g}; got {end:g}."
        raise InvalidRequest(message, field="guidance_end")


def _check_known(field: str, value: str | None, known: list[str]) -> None:
    if value and known and value not in known:
        raise InvalidRequest(f"{field} must be one of {', '.join(known)}; got {value}.", field=field)


def _check_resampling(request: GenerateRequest, resampling: list[str]) -> None:
    resamples = request.inpainting.num_resamples if request.inpainting else 1
    if resamples > 1 and request.sampler and resampling and request.sampler not in resampling:
        raise InvalidRequest(
            f"num_resamples must be 1 with the sampler {request.sampler}: steps can be repeated with "
            f"{', '.join(resampling)}; got {resamples}.",
            field="num_resamples",
        )


def unheeded(request: GenerateRequest, infos: Infos, denoiser: str) -> list[str]:
    """Warnings of extras that were asked for and not announced; a plain endpoint ignores what it lacks."""
    prompter = denoiser if denoiser == "all_in_one" else "text_encoder"
    asked = [
        (prompter, "negative_prompt", "negative_prompt", bool(request.negative_prompt)),
        (denoiser, "seed", "seed", request.seed is not None and not request.seed_was_drawn),
        *(
            (denoiser, extra, field, getattr(request, field) is not None)
            for field, extra in HANDED_ON.items()
        ),
    ]
    if denoiser == "all_in_one":
        asked += [
            (denoiser, "num_steps", "steps", request.steps is not None),
            (denoiser, "unconditional_guidance_scale", "guidance_scale", request.guidance_scale is not None),
        ]
    return [
        f"{field} was sent to the {stage} stage, which does not announce that it obeys it: "
        "it may have been ignored."
        for stage, extra, field, given in asked
        if given and not announces(infos[stage], extra)
    ]
