"""How far a step goes towards the prompt, and which steps do."""

from dataclasses import dataclass

import numpy as np

from ..samplers import Latent


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance (arXiv:2207.12598) of this scale in the steps from `start` to `end`.

    Both are shares of the denoising, 0 to 1: outside of them a step takes the conditional prediction as it
    is, for half the work (arXiv:2404.07724).
    """

    scale: float
    start: float = 0.0
    end: float = 1.0

    def guides(self, step: int, steps: int) -> bool:
        """Whether this step, counted from 0, needs both predictions."""
        return self.scale not in (0, 1) and self._covers(step, steps)

    def ignores_the_prompt(self, step: int, steps: int) -> bool:
        """Whether this step needs the unconditional prediction alone."""
        return self.scale == 0 and self._covers(step, steps)

    def _covers(self, step: int, steps: int) -> bool:
        return self.start * steps <= step < self.end * steps

    def apply(self, unconditional: Latent, conditional: Latent) -> Latent:
        """The prediction, led away from the unconditional one."""
        guided: Latent = unconditional + np.float32(self.scale) * (conditional - unconditional)
        return guided
