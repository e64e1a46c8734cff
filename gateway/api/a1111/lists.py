"""What the web UI lists: samplers, schedulers and models that there are here, and nothing of the rest."""

from typing import Any

from fastapi import APIRouter, Request

from ...catalogue import list_models
from ...infotext import SAMPLERS, SCHEDULES
from ...runtime import runtime_of
from ..rendering import error_responses
from ..samplers import ALIASES, label_of
from .errors import WebUIError
from .routes import activities_of

NOT_MEASURED = {"error": "The models run elsewhere: their memory is not known here."}
NOTHING = (
    *("latent-upscale-modes", "sd-vae", "sd-modules", "prompt-styles", "loras", "hypernetworks"),
    *("face-restorers", "realesrgan-models", "script-info", "extensions"),
)
"""Lists that are empty here."""
REFRESHES = ("refresh-checkpoints", "refresh-vae", "refresh-loras", "refresh-embeddings")
"""There is nothing to look for again: what is listed is asked for each time."""

router = APIRouter(tags=["AUTOMATIC1111"], responses=error_responses(WebUIError))


@router.get("/sdapi/v1/samplers")
async def samplers() -> list[dict[str, Any]]:
    return [
        {"name": label, "aliases": [sampler, *ALIASES[sampler]], "options": {}}
        for sampler, label in SAMPLERS.items()
    ]


@router.get("/sdapi/v1/schedulers")
async def schedulers() -> list[dict[str, Any]]:
    names = ["automatic", *SCHEDULES, "range", "lcm"]
    return [
        {
            "name": name,
            "label": label_of(None if name == "automatic" else name),
            "aliases": None,
            "default_rho": -1.0,
            "need_inner_model": False,
        }
        for name in names
    ]


@router.get("/sdapi/v1/sd-models")
async def sd_models(request: Request) -> list[dict[str, Any]]:
    return [
        {
            "title": entry.title,
            "model_name": entry.name,
            "hash": entry.hash,
            "sha256": None,
            "filename": entry.id,
            "config": None,
        }
        for entry in await list_models(runtime_of(request).stages)
    ]


@router.get("/sdapi/v1/upscalers")
async def upscalers() -> list[dict[str, Any]]:
    """How pictures are scaled that the model makes smaller than they were asked for."""
    nothing = {"model_name": None, "model_path": None, "model_url": None, "scale": 4}
    return [{"name": name, **nothing} for name in ("None", "Lanczos")]


@router.get("/sdapi/v1/scripts")
async def scripts() -> dict[str, list[str]]:
    return {"txt2img": [], "img2img": []}


@router.get("/sdapi/v1/embeddings")
async def embeddings() -> dict[str, dict[str, Any]]:
    return {"loaded": {}, "skipped": {}}


@router.get("/sdapi/v1/cmd-flags")
async def cmd_flags() -> dict[str, Any]:
    return {}


@router.get("/sdapi/v1/memory")
async def memory() -> dict[str, Any]:
    return {"ram": NOT_MEASURED, "cuda": NOT_MEASURED}


@router.get("/queue/status")
async def queue_status(request: Request) -> dict[str, Any]:
    """What the web UI's pages ask, and the Krita plugin before all else."""
    under_way = len(activities_of(request))
    return {"msg": "estimation", "rank": None, "queue_size": under_way, "rank_eta": None, "queue_eta": 0}


async def _empty() -> list[Any]:
    return []


async def _refresh() -> None:
    return None


for _name in NOTHING:
    router.add_api_route(f"/sdapi/v1/{_name}", _empty, methods=["GET"], name=_name)
for _name in REFRESHES:
    router.add_api_route(f"/sdapi/v1/{_name}", _refresh, methods=["POST"], name=_name)
