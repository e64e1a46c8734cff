"""Our encode, denoise and decode against keras-cv's own loop, over the built-in model's weights."""

from typing import Any

import numpy as np
import pytest

from triptych.decode import LatentDecoder
from triptych.denoise import Denoiser
from triptych.encode import PromptEncoder
from triptych.fields import Fields
from triptych.models import kerascv
from triptych.requests import DenoiseSettings
from triptych.samplers import Noise
from triptych.tokenizer import VOCABULARY, encode
from triptych.variants import VARIANTS
from triptych.weights import load_part, unreported

from keras_cv.src.models.stable_diffusion.stable_diffusion import StableDiffusionBase  # isort: skip

TINY = VARIANTS["tiny"]


class KerasCV(StableDiffusionBase):  # type: ignore[misc]
    """keras-cv's pipeline with the built-in model's parts in place of the full ones."""

    def __init__(self) -> None:
        super().__init__(128, 128, jit_compile=False)
        self._parts = {part: load_part(TINY, part, unreported) for part in TINY.parts}
        self._tokenizer = kerascv.SimpleTokenizer(str(VOCABULARY))

    @property
    def text_encoder(self) -> Any:
        return self._parts["text_encoder"]

    @property
    def diffusion_model(self) -> Any:
        return self._parts["diffusion"]

    @property
    def decoder(self) -> Any:
        return self._parts["decoder"]


@pytest.fixture(scope="module")
def keras_cv() -> KerasCV:
    return KerasCV()


@pytest.mark.parametrize(
    ("prompt", "negative", "steps", "guidance"),
    [("a red apple on a blue background", None, 10, 4.0), ("a cat at night", "snow", 7, 7.5)],
)
def test_the_same_noise_makes_the_same_image(
    keras_cv: KerasCV, prompt: str, negative: str | None, steps: int, guidance: float
) -> None:
    request = {"inputs": prompt, "num_steps": steps, "unconditional_guidance_scale": guidance, "seed": 3}
    fields = Fields(request | ({"negative_prompt": negative} if negative else {}))
    contexts = PromptEncoder(TINY, unreported).contexts(fields, 1)
    latents = Denoiser(TINY, unreported).latents(*contexts, DenoiseSettings.read(fields, TINY))
    ours = LatentDecoder(TINY, unreported).images(latents)
    theirs = keras_cv.generate_image(
        keras_cv.encode_text(prompt),
        negative_prompt=negative,
        num_steps=steps,
        unconditional_guidance_scale=guidance,
        diffusion_noise=Noise.seeded(3).draw(TINY.latent)[0],
    )
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_prompts_have_the_tokens_that_keras_cv_gives_them(keras_cv: KerasCV) -> None:
    for prompt in ("A Red  apple's core, 123!", "naïve café ☕", ""):
        tokens = encode(prompt).tolist()
        theirs = keras_cv.tokenizer.encode(prompt)
        assert tokens == theirs + [49407] * (77 - len(theirs))
