"""The events of a stream, each as the bytes that go out."""

import base64
from typing import Any

from fastapi.sse import format_sse_event

from triptych.wire import Tensors, pack

from .errors import verdict
from .forms import Form, png, to_json
from .handler import Progress, Ticket
from .metrics import looked_up


def progress_event(progress: Progress) -> bytes:
    """How far a request is."""
    names = ("state", "ahead", "step", "steps", "seconds_left")
    return _event("progress", {name: getattr(progress, name) for name in names})


def preview_event(ticket: Ticket) -> bytes:
    """Its images as they are now, as PNG files."""
    step = ticket.progress.step
    return _event("preview", {"step": step, "images": [_text(png(image)) for image in ticket.previews()]})


def state_event(ticket: Ticket) -> bytes:
    """Where its images are, for the field `resume` of another request."""
    step = ticket.progress.step
    return _event("state", {"step": step, "state": _text(pack(ticket.states(), {}))})


def answer_event(tensors: Tensors, form: Form, timing: tuple[float, float]) -> bytes:
    """The answer, the seconds that it waited and was worked on, and what was looked up for it."""
    queue, handler = (round(seconds, 4) for seconds in timing)
    told = {"queue": queue, "handler": handler, **looked_up()}
    return _event("answer", {"tensors": _text(form.body(tensors)), "timing": told})


def error_event(error: Exception) -> bytes:
    """What the answer would have been if nothing had been sent before."""
    status, sentence = verdict(error)
    return _event("error", {"status": int(status), "error": sentence})


def _event(name: str, data: dict[str, Any]) -> bytes:
    return format_sse_event(event=name, data_str=to_json(data).decode("ascii"))


def _text(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")
