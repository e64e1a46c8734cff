"""Errors as AUTOMATIC1111's web UI gives them."""

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ..failure import ErrorFields

NAMES = {
    "num_images": "batch_size",
    "guidance_scale": "cfg_scale",
    "sampler": "sampler_name",
    "schedule": "scheduler",
    "model": "sd_model_checkpoint",
    "image": "init_images",
    "strength": "denoising_strength",
}
"""What this dialect calls the fields of the native one."""


class WebUIError(BaseModel):
    """The kind of the error, and twice the sentence: some clients show the one, some the other."""

    error: str
    detail: str
    body: str = ""
    errors: str


def render(status: int, fields: ErrorFields, headers: dict[str, str]) -> JSONResponse:
    own = fields.renamed(NAMES)
    body = WebUIError(error=own.type, detail=own.message, errors=own.message)
    return JSONResponse(body.model_dump(), status, headers)
