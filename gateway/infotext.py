"""The parameters of a picture as text, in the form that AUTOMATIC1111 made a custom."""

import re

from . import __version__
from .requests import GenerateRequest, GenerateResult

SAMPLERS = {
    "ddim": "DDIM",
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "dpmpp_2m": "DPM++ 2M",
    "heun": "Heun",
    "lcm": "LCM",
}
"""What AUTOMATIC1111 calls the stages' samplers."""
SCHEDULES = {"keras-cv": "Uniform", "leading": "DDIM", "trailing": "SGM Uniform", "karras": "Karras"}
"""What it calls their schedules, those that it has too."""
DEFAULT_SAMPLER = "ddim"
"""What a stage denoises with that was not told."""


SETTING = re.compile(r'\s*([\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
LEAST_SETTINGS = 3
"""A last line with fewer is a part of the prompt."""


def infotext(request: GenerateRequest, result: GenerateResult, index: int) -> str:
    """Prompt, negative prompt and one line of settings of the picture with this index."""
    picture = result.pictures[index]
    settings = {
        "Steps": result.steps,
        "Sampler": SAMPLERS[request.sampler or DEFAULT_SAMPLER],
        "Schedule type": request.schedule and SCHEDULES.get(request.schedule, request.schedule),
        "CFG scale": f"{result.guidance_scale:g}",
        "Seed": result.seeds[index],
        "Size": f"{picture.width}x{picture.height}",
        "Model hash": result.model_hash,
        "Model": result.model,
        "VAE hash": next((call.model_hash for call in result.calls if call.stage == "decoder"), None),
        "Denoising strength": request.strength,
        "Version": f"Triptych {__version__}",
    }
    line = ", ".join(f"{name}: {value}" for name, value in settings.items() if value is not None)
    negative = [f"Negative prompt: {request.negative_prompt}"] if request.negative_prompt else []
    return "\n".join([request.prompt, *negative, line])


def read_infotext(text: str) -> dict[str, str]:
    """The settings in such a text by name, with `Prompt` and `Negative prompt`; only these two where it has
    no line of settings."""
    *lines, last = text.strip().split("\n")
    settings = {name.strip(): value for name, value in SETTING.findall(last)}
    if len(settings) < LEAST_SETTINGS:
        lines, settings = [*lines, last], {}
    prompt, _, negative = "\n".join(lines).partition("Negative prompt:")
    return {"Prompt": prompt.strip(), "Negative prompt": negative.strip(), **settings}
