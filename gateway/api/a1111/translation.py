"""From AUTOMATIC1111's bodies to the one request that the pipeline knows."""

from fastapi import HTTPException

from ...errors import InvalidRequest
from ...requests import GenerateRequest
from ..samplers import Sampling, read_sampling
from ..schemas import MAX_IMAGES
from .schemas import RANDOM_SEED, Txt2Img

ARGS = "args"


def read_request(body: Txt2Img, model: str | None) -> tuple[GenerateRequest, list[str]]:
    """The request, with warnings of what is not quite as it was asked for.

    Raises HTTPException 400 for a sampler that nothing is near to, as the web UI does, and InvalidRequest for
    a script and for too many pictures.
    """
    if body.script_name:
        raise InvalidRequest(
            f"script_name must be null, as no script runs here; got {body.script_name!r}.",
            field="script_name",
        )
    if body.number > MAX_IMAGES:
        raise InvalidRequest(
            f"batch_size must be such that batch_size × n_iter is at most {MAX_IMAGES}; got {body.number}.",
            field="batch_size",
        )
    sampling = _sampling(body)
    request = GenerateRequest(
        prompt=body.prompt,
        negative_prompt=body.negative_prompt,
        num_images=body.number,
        steps=body.steps,
        guidance_scale=body.cfg_scale,
        seed=None if body.seed == RANDOM_SEED else body.seed,
        sampler=sampling.sampler,
        schedule=sampling.schedule,
        size=body.size,
        model=model,
    )
    return request, [*sampling.warnings, *_unrun(body)]


def _sampling(body: Txt2Img) -> Sampling:
    try:
        return read_sampling(body.sampler_name or body.sampler_index, body.scheduler)
    except InvalidRequest:
        raise HTTPException(400, "Sampler not found") from None


def _unrun(body: Txt2Img) -> list[str]:
    """Scripts that were given something to do."""
    names = [
        name
        for name, script in body.alwayson_scripts.items()
        if not isinstance(script, dict) or script.get(ARGS)
    ]
    return [f"These scripts do not run here: {', '.join(names)}."] if names else []
