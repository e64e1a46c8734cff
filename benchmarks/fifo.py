"""keras-cv's own denoising loop as a stage's handler: one request after the other.

`benchmarks.batching` puts this file into a folder, and the host serves it as any other handler. The models
are the built-in one's, compiled with XLA as keras-cv's are by default; the loop is keras-cv's.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from triptych.fields import Fields
from triptych.models import kerascv  # noqa: F401  (first, it makes keras-cv's own import cheap)
from triptych.requests import DenoiseSettings, read_tensors
from triptych.samplers import Noise
from triptych.variants import chosen_variant
from triptych.weights import load_part, unreported
from triptych.wire import encode_tensor

from keras_cv.src.models.stable_diffusion.stable_diffusion import StableDiffusionBase  # isort: skip


class Undecoded:
    """Stands where the decoder does, and keeps the latent: the decoder is another stage."""

    latent: npt.NDArray[np.float32]

    def predict_on_batch(self, latent: Any) -> npt.NDArray[np.float32]:
        self.latent = np.asarray(latent)
        return np.zeros((1, 1, 1, 3), np.float32)


class Loop(StableDiffusionBase):  # type: ignore[misc]
    """keras-cv's pipeline between the contexts and the latent."""

    def __init__(self) -> None:
        variant = chosen_variant()
        super().__init__(variant.image_size, variant.image_size, jit_compile=True)
        self._shape = variant.latent
        self._unet = load_part(variant, "diffusion", unreported)
        self._unet.compile(jit_compile=True)
        self._end = Undecoded()
        self._unconditional: Any = None

    @property
    def diffusion_model(self) -> Any:
        return self._unet

    @property
    def decoder(self) -> Any:
        return self._end

    def _get_unconditional_context(self) -> Any:
        return self._unconditional

    def latent(self, context: Any, unconditional: Any, settings: DenoiseSettings) -> Any:
        """The latent, float32 (1, height, width, 4), of contexts (1, 77, width)."""
        self._unconditional = unconditional
        noise, _ = Noise.seeded(settings.seeds[0]).draw(self._shape)
        steps = len(settings.schedule)
        self.generate_image(context, None, 1, steps, settings.guidance_scale, noise)
        return self._end.latent


class EndpointHandler:
    """The diffusion stage's contract for one picture a request."""

    def __init__(self, path: str = "") -> None:
        self._variant = chosen_variant()
        self._loop = Loop()
        context = np.zeros((1, *self._variant.context), np.float32)
        self._loop.latent(context, context, DenoiseSettings.read(Fields({"num_steps": 1}), self._variant))

    def __call__(self, data: dict[str, Any]) -> str:
        fields = Fields(data)
        settings = DenoiseSettings.read(fields, self._variant)
        context, unconditional = read_tensors(fields, self._variant, settings)
        return encode_tensor(self._loop.latent(context, unconditional, settings))
