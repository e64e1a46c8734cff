"""Models compiled for one set of input shapes, on the Keras backend in use.

Each backend's module has `place`, which gives a variable its value; `compile_program`; `POLICIES`, the
Keras dtype policies that differ from the dtype asked for; `SHARES_WEIGHTS`, whether the programs
of one model use the same copy of its weights; and `KEEPS_PROGRAMS`, whether it has `keep_program`
and `kept_program`, with which a later start needs no model.
"""

from importlib import import_module
from types import ModuleType

import keras

# Not the backends' own names: Hugging Face's downloader may skip files that are called *openvino*.
MODULES = {
    "tensorflow": "on_tensorflow",
    "jax": "on_jax",
    "torch": "on_torch",
    "openvino": "on_intel",
}


def backend() -> ModuleType:
    """The module for the backend that KERAS_BACKEND names."""
    return import_module(f".{MODULES[keras.backend.backend()]}", __name__)
