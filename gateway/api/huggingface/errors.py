"""Errors as Hugging Face's servers give them: a sentence, also in the header that its client quotes."""

from functools import partial

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ..failure import ErrorFields, header_text

NAMES = {"prompt": "inputs", "steps": "num_inference_steps", "sampler": "scheduler", "image": "inputs"}
"""What the inference API calls the fields of the native dialect."""
CONTRACT_NAMES = {
    "prompt": "inputs",
    "num_images": "batch_size",
    "steps": "num_steps",
    "guidance_scale": "unconditional_guidance_scale",
}
"""What the contract of the all-in-one handler calls them."""
UNAVAILABLE, TIMEOUT = 503, 504
HEADER = "X-Error-Message"


class HuggingFaceError(BaseModel):
    error: str


def _render(names: dict[str, str], status: int, fields: ErrorFields, headers: dict[str, str]) -> JSONResponse:
    """503 is given as 504: @huggingface/inference repeats a request that got 503 at once, for ever."""
    message = fields.renamed(names).message
    status = TIMEOUT if status == UNAVAILABLE else status
    return JSONResponse(
        HuggingFaceError(error=message).model_dump(), status, {**headers, HEADER: header_text(message)}
    )


render = partial(_render, NAMES)
render_contract = partial(_render, CONTRACT_NAMES)
