"""The text encoder as a Hugging Face Endpoint custom handler: a prompt becomes contexts."""

from typing import Any

from triptych.encode import PromptEncoder
from triptych.fields import Fields
from triptych.info import describe_stage
from triptych.requests import read_batch_size
from triptych.variants import chosen_variant
from triptych.weights import Report, unreported
from triptych.wire import Tensors, encode_tensor


class EndpointHandler:
    """`{"inputs": prompt, "batch_size": 1}` to `{"context_b64str", "unconditional_context_b64str"}`.

    Both are float32 (batch, 77, width). With `negative_prompt`, the unconditional context is its.
    """

    def __init__(self, path: str = "", report: Report = unreported) -> None:
        self._variant = chosen_variant(report)
        self._encoder = PromptEncoder(self._variant, report)

    def __call__(self, data: dict[str, Any]) -> dict[str, str]:
        return {f"{name}_b64str": encode_tensor(tensor) for name, tensor in self.tensors(data).items()}

    def tensors(self, data: dict[str, Any]) -> Tensors:
        """The answer as it is before it is base64."""
        fields = Fields(data)
        context, unconditional = self._encoder.contexts(fields, read_batch_size(fields))
        return Tensors(context=context, unconditional_context=unconditional)

    def info(self) -> dict[str, Any]:
        shapes = self._variant.shapes("context", "unconditional_context")
        return describe_stage("text_encoder", self._variant, "text_encoder", shapes, ["negative_prompt"])
