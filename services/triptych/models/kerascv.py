"""keras-cv's Stable Diffusion classes, without the rest of keras-cv.

``import keras_cv`` loads every model and data set that it has, with tensorflow-datasets and
pyarrow: 4 s of every start, and packages that no stage uses. Its Stable Diffusion modules need
none of that, so the packages above them are registered empty and only those modules are run.
"""

import importlib.util
import os
import sys
from types import ModuleType

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


_register_empty_packages()

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
