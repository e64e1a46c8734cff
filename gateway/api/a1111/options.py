"""The settings of the web UI, of which there is one here: the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from ...catalogue import STANDARD, Entry, find_model, list_models
from ...errors import InvalidRequest
from ...runtime import runtime_of
from ..body import Must, body_limits, read_json
from ..connection import owner_of
from ..openapi import json_body, reads
from ..rendering import error_responses
from .activity import PREVIEW_EVERY
from .errors import WebUIError
from .schemas import CHECKPOINT

EXAMPLES: dict[str, Any] = {"the standard model": {"value": {CHECKPOINT: STANDARD}}}

router = APIRouter(prefix="/sdapi/v1", tags=["AUTOMATIC1111"], responses=error_responses(WebUIError))


@dataclass
class Options:
    """What is set for all clients of an owner, as in the web UI: its model, None for the standard one."""

    models: dict[str | None, str | None] = field(default_factory=dict)


class NewOptions(BaseModel):
    """Some settings; all but the model are ignored."""

    model_config = ConfigDict(extra="allow")

    sd_model_checkpoint: Annotated[
        str | None, Must("a model's title, name or hash, of GET /sdapi/v1/sd-models")
    ] = None


def options_of(request: Request) -> Options:
    return cast(Options, request.state.options)


async def chosen_model(request: Request, override_settings: Mapping[str, Any]) -> str | None:
    """What a GenerateRequest calls the model: as one request says, or else as it is set for all."""
    name = override_settings.get(CHECKPOINT)
    return _set_model(request) if name is None else (await _find(request, str(name))).model


@router.get("/options")
async def options(request: Request) -> dict[str, Any]:
    """What is set."""
    entries = await list_models(runtime_of(request).stages)
    model = _set_model(request)
    entry = next(entry for entry in entries if entry.model == model)
    return {
        CHECKPOINT: entry.title,
        "sd_checkpoint_hash": entry.hash or "",
        "sd_vae": "Automatic",
        "CLIP_stop_at_last_layers": 1,
        "samples_format": "png",
        "show_progress_every_n_steps": PREVIEW_EVERY,
    }


@router.post("/options", openapi_extra=reads(json_body(NewOptions, EXAMPLES)))
async def set_options(request: Request) -> None:
    """Sets the model of all requests that name none."""
    body = await read_json(request, NewOptions, body_limits(runtime_of(request).settings))
    if body.sd_model_checkpoint is not None:
        options_of(request).models[owner_of(request)] = (await _find(request, body.sd_model_checkpoint)).model


def _set_model(request: Request) -> str | None:
    return options_of(request).models.get(owner_of(request))


async def _find(request: Request, name: str) -> Entry:
    try:
        return find_model(name, await list_models(runtime_of(request).stages))
    except InvalidRequest as error:
        error.field = CHECKPOINT
        raise
