"""Stable Diffusion in parts: what the stage handlers share."""

import json
import os
from pathlib import Path

__version__ = "0.1.0"

BUNDLED = Path(__file__).with_name("bundled.json")
"""In a bundle alone: what its environment says where nothing else is set. Read before Keras reads it."""

if BUNDLED.exists():
    for _name, _value in json.loads(BUNDLED.read_text()).items():
        os.environ[_name] = os.environ.get(_name) or _value
