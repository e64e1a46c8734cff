"""From Hugging Face's bodies to the one request that the pipeline knows."""

from dataclasses import replace

from ...images import Picture, check_mask, decode_base64, decode_mask, decode_picture
from ...requests import GenerateRequest, Inpainting
from ..beginning import begin
from ..samplers import read_sampling
from .schemas import AllInOneTask, ImageToImageParameters, TextToImageParameters

MASK_CONVENTION = "white-is-repaint"
"""As diffusers' pipelines have it."""


def read_text_to_image(prompt: str, asked: TextToImageParameters) -> tuple[GenerateRequest, list[str]]:
    """The request, with warnings of what is not as it was asked for. Raises InvalidRequest for a scheduler
    that nothing is near to."""
    sampling = read_sampling(asked.scheduler, None)
    request = GenerateRequest(
        prompt=prompt,
        negative_prompt=asked.negative_prompt or "",
        steps=asked.num_inference_steps,
        guidance_scale=asked.guidance_scale,
        seed=asked.seed,
        sampler=sampling.sampler,
        schedule=sampling.schedule,
        size=asked.size,
    )
    ignored = [f"{name} has no effect here." for name in asked.model_extra or ()]
    return request, [*sampling.warnings, *ignored]


def read_image_to_image(
    image: bytes, asked: ImageToImageParameters, max_pixels: int
) -> tuple[GenerateRequest, list[str]]:
    """As read_text_to_image; also for files that are no pictures, are too large or do not fit together."""
    request, warnings = read_text_to_image(asked.prompt or "", asked)
    picture = decode_picture("inputs", image, max_pixels)
    masked = begin(request, picture, _inpainting(picture, asked, max_pixels), asked.strength)
    return masked if masked.inpainting else replace(masked, size=asked.size or picture.size), warnings


def _inpainting(picture: Picture, asked: ImageToImageParameters, max_pixels: int) -> Inpainting | None:
    if asked.mask_image is None:
        return None
    data = decode_base64("mask_image", asked.mask_image)
    mask = decode_mask("mask_image", data, max_pixels, MASK_CONVENTION)
    check_mask(picture, mask, "white where to repaint, it")
    return Inpainting(picture, mask)


def read_all_in_one(task: AllInOneTask) -> GenerateRequest:
    """Raises InvalidRequest for a sampler that nothing is near to."""
    sampling = read_sampling(task.sampler, task.schedule)
    width, height = task.width or task.height, task.height or task.width
    return GenerateRequest(
        prompt=task.inputs,
        negative_prompt=task.negative_prompt,
        num_images=task.batch_size,
        steps=task.num_steps,
        guidance_scale=task.unconditional_guidance_scale,
        seed=task.seed,
        sampler=sampling.sampler,
        schedule=sampling.schedule,
        size=(width, height) if width and height else None,
    )
