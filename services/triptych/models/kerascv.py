"""keras-cv's Stable Diffusion classes, without the rest of keras-cv.

``import keras_cv`` loads every model and data set that it has, with tensorflow-datasets and
pyarrow, and TensorFlow whatever the backend: 4 s of every start, and packages that no stage uses.
Its Stable Diffusion modules need none of that, so the packages above them are registered empty, its
backend is Keras 3 as it is, and only those modules are run.
"""

import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

import keras
import numpy as np

PACKAGES = (
    "keras_cv",
    "keras_cv.src",
    "keras_cv.src.models",
    "keras_cv.src.models.stable_diffusion",
)


def _register_empty_packages() -> None:
    if "keras_cv" in sys.modules:
        return
    spec = importlib.util.find_spec("keras_cv")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("keras-cv is not installed: pip install -r requirements.txt")
    root = spec.submodule_search_locations[0]
    for name in PACKAGES:
        package = ModuleType(name)
        package.__path__ = [os.path.join(root, *name.split(".")[1:])]
        sys.modules[name] = package
    _register_backend()


def _register_backend() -> None:
    """What keras_cv.src.backend comes to under Keras 3; it imports TensorFlow to find that out."""
    package = ModuleType("keras_cv.src.backend")
    package.__path__ = []
    package.__dict__.update(keras=keras, ops=keras.ops, random=keras.random)
    sys.modules[package.__name__] = package


_register_empty_packages()

from keras_cv.src.models.stable_diffusion import text_encoder as _text_encoder  # noqa: E402
from keras_cv.src.models.stable_diffusion.attention_block import AttentionBlock  # noqa: E402
from keras_cv.src.models.stable_diffusion.clip_tokenizer import SimpleTokenizer  # noqa: E402
from keras_cv.src.models.stable_diffusion.constants import _ALPHAS_CUMPROD  # noqa: E402
from keras_cv.src.models.stable_diffusion.decoder import Decoder  # noqa: E402
from keras_cv.src.models.stable_diffusion.diffusion_model import (  # noqa: E402
    DiffusionModel,
    DiffusionModelV2,
    ResBlock,
    SpatialTransformer,
    Upsample,
)
from keras_cv.src.models.stable_diffusion.image_encoder import ImageEncoder  # noqa: E402
from keras_cv.src.models.stable_diffusion.padded_conv2d import PaddedConv2D  # noqa: E402
from keras_cv.src.models.stable_diffusion.resnet_block import ResnetBlock  # noqa: E402
from keras_cv.src.models.stable_diffusion.text_encoder import (  # noqa: E402
    CLIPEmbedding,
    CLIPEncoderLayer,
    TextEncoder,
    TextEncoderV2,
    quick_gelu,
)


class CausalAttention(_text_encoder.CLIPAttention):
    """CLIP's attention with its mask as a constant.

    keras-cv makes it with `triu`, which on OpenVINO multiplies minus infinity by zero.
    """

    def call(self, inputs: Any, attention_mask: Any = None) -> Any:
        length = inputs.shape[1]
        mask = np.triu(np.full((1, 1, length, length), -np.inf, np.float32), k=1)
        return super().call(inputs, keras.ops.convert_to_tensor(mask, dtype=self.compute_dtype))


_text_encoder.CLIPAttention = CausalAttention

ALPHAS_CUMPROD: list[float] = _ALPHAS_CUMPROD

__all__ = [
    "ALPHAS_CUMPROD",
    "AttentionBlock",
    "CLIPEmbedding",
    "CLIPEncoderLayer",
    "Decoder",
    "DiffusionModel",
    "DiffusionModelV2",
    "ImageEncoder",
    "PaddedConv2D",
    "ResBlock",
    "ResnetBlock",
    "SimpleTokenizer",
    "SpatialTransformer",
    "TextEncoder",
    "TextEncoderV2",
    "Upsample",
    "quick_gelu",
]
