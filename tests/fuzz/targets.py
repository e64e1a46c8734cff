"""The decoders of untrusted bytes, each called as a server calls it: what it refuses, it refuses with the
error that becomes a sentence for the client. Anything else that is raised is a fault of ours."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from gateway.api.body import parse_json
from gateway.api.jobs.schemas import JobRequest
from gateway.api.openai.schemas import Generation
from gateway.api.schemas import Inpaint
from gateway.codecs import decode
from gateway.errors import InvalidRequest
from gateway.images import MASK_CONVENTIONS, decode_base64, decode_mask, decode_picture, read_texts
from host.body import parse_object, parse_tensors
from triptych.remote_vae import RemoteEncode
from triptych.samplers import State
from triptych.wire import MEDIA_TYPE, InvalidField, unpack

MAX_PIXELS = 64 * 64
LATENT = (8, 8, 4)
REGRESSIONS = Path(__file__).parent / "regressions"
"""What was once not refused as it must be, in a folder for each target."""

Target = Callable[[bytes], None]


def pictures(data: bytes) -> None:
    """The file of a picture or of a mask."""
    for convention in MASK_CONVENTIONS:
        _refused(lambda c=convention: decode_mask("mask", data, MAX_PIXELS, c))  # type: ignore[misc]
    _refused(lambda: decode_picture("image", data, MAX_PIXELS))
    _refused(lambda: read_texts("image", data, MAX_PIXELS))
    _refused(lambda: RemoteEncode.read([], data))


def texts(data: bytes) -> None:
    """A picture in base64."""
    _refused(lambda: decode_base64("image", data.decode("utf-8", "replace")))


def tensors(data: bytes) -> None:
    """Safetensors, in a request and in an answer."""
    _refused(lambda: unpack("body", data))
    _refused(lambda: parse_tensors(data))
    _refused(lambda: _as_answer(MEDIA_TYPE, data))


def states(data: bytes) -> None:
    """A state that a denoising goes on from, and the next noise that it draws."""

    def drawn() -> None:
        state = State.of_travelled(unpack("resume", data)[0], LATENT)
        state.noise.draw(LATENT)

    _refused(drawn, KeyError, ValueError)  # which the stage's request makes InvalidField of


def answers(data: bytes) -> None:
    """What a stage, or whatever is at its address, says as JSON."""
    _refused(lambda: _as_answer("application/json", data), ValueError)


def stage_requests(data: bytes) -> None:
    """The JSON of the stage contract."""
    _refused(lambda: parse_object(data))


def gateway_requests(data: bytes) -> None:
    """The JSON of the gateway's routes."""
    for model in (Inpaint, JobRequest, Generation):
        _refused(lambda m=model: parse_json(m, data))  # type: ignore[misc]


TARGETS: Mapping[str, Target] = {
    target.__name__: target
    for target in (pictures, texts, tensors, states, answers, stage_requests, gateway_requests)
}


def _as_answer(content_type: str, data: bytes) -> None:
    answer = decode(content_type, data)
    for shape in ((1, 8, 8, 4), None):
        _refused(lambda s=shape: answer.tensor("latent", np.float32, s))  # type: ignore[misc]
        _refused(lambda s=shape: answer.tensor("context", np.float32, s))  # type: ignore[misc]
    for size in ((64, 64), None):
        _refused(lambda s=size: answer.images(1, s))  # type: ignore[misc]


def _refused(decode: Callable[[], object], *more: type[Exception]) -> None:
    refusals: tuple[type[Exception], ...] = (InvalidRequest, InvalidField, *more)
    with suppress(*refusals):
        decode()
