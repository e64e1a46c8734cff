"""Requests as jobs are handed in and stored."""

import json
import re

from fastapi import Request

from ...errors import InvalidRequest
from ...jobs.desk import Order
from ...jobs.record import Record, Webhook
from ...keys.guard import key_of
from ...plan import draw_seed
from ..connection import client_of, owner_of
from ..schemas import TextToImage
from .schemas import KINDS

KEY = "Idempotency-Key"
SOUND_KEY = re.compile(r"[!-~]{1,255}")
PICTURES = {"image", "mask"}
KIND_OF = {model: kind for kind, model in KINDS.items()}


def make_order(request: Request, body: TextToImage, webhook: Webhook | None = None) -> Order:
    """From the client of this request, under the name that its Idempotency-Key gives. The seed is drawn now:
    however often the job is begun, the picture is the same."""
    holder = key_of(request)
    chosen = body if body.seed is not None else body.model_copy(update={"seed": draw_seed()})
    kind, asked = KIND_OF[type(body)], body.model_dump_json()
    return Order(
        kind=kind,
        client=client_of(request),
        request=chosen.model_dump_json().encode(),
        parameters=chosen.model_dump_json(exclude=PICTURES),
        drawn=body.seed is None,
        digest=f"{kind} {webhook} {asked}".encode(),
        key=_key(request),
        webhook=webhook,
        most=holder.limits.jobs if holder else None,
    )


def read_order(record: Record, request: bytes) -> TextToImage:
    """The body that was handed in."""
    return KINDS[record.kind].model_validate_json(request)


def read_parameters(record: Record) -> TextToImage:
    """The same without its pictures, which are empty."""
    empty = dict.fromkeys(PICTURES & KINDS[record.kind].model_fields.keys(), "")
    return read_order(record, json.dumps({**json.loads(record.parameters), **empty}).encode())


def _key(request: Request) -> str | None:
    """Names of one owner are not those of another; there is no space in either part."""
    key = request.headers.get(KEY)
    if key is not None and not SOUND_KEY.fullmatch(key):
        raise InvalidRequest(
            f"{KEY} must be 1 to 255 printable ASCII characters without spaces; got {len(key)} characters.",
            field=KEY,
        )
    owner = owner_of(request)
    return f"{owner} {key}" if owner and key else key
