"""What the handlers of stages that denoise have in common."""

from abc import ABC, abstractmethod
from typing import Any

from .denoise import Denoiser
from .engine import Ticket
from .wire import Tensors, encode_tensor


class DenoisingHandler(ABC):
    """Answers by the stage contract, one request after the other; and, where the server knows it, as a ticket
    for a request that is under way among others."""

    denoiser: Denoiser

    @abstractmethod
    def start(self, data: dict[str, Any]) -> Ticket:
        """Begin with a request, whose `inputs` may be Tensors too. Raises InvalidField."""

    def __call__(self, data: dict[str, Any]) -> str:
        (answer,) = self.tensors(data).values()
        return encode_tensor(answer)

    def tensors(self, data: dict[str, Any]) -> Tensors:
        """The answer as it is before it is base64."""
        return self.start(data).result()

    def seconds_of_work(self) -> float:
        """How long what is under way will take."""
        return self.denoiser.engine.seconds_of_work()

    def programs(self) -> tuple[int, int]:
        """How many batch sizes are compiled, of how many."""
        return self.denoiser.engine.programs()
