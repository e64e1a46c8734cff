"""A stage as a complete custom-handler repository, in a folder of its own.

Its handler is the stage's, byte for byte, and the library lies beside it. Which model it is stands in
`triptych/bundled.json`, which the library takes for its environment where that says nothing else.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .card import write_card
from .selected import SERVICES, Selected

ROOT = SERVICES.parent
BUNDLES = ROOT / "build" / "bundles"
BUILT_IN = "tiny.safetensors"
BUNDLED = "triptych/bundled.json"


def write_bundle(selected: Selected, bundles: Path = BUNDLES) -> Path:
    """Write the folder anew, and return it."""
    folder = bundles / selected.name
    shutil.rmtree(folder, ignore_errors=True)
    library = shutil.copytree(SERVICES / "triptych", folder / "triptych", ignore=_left_out(selected))
    shutil.copyfile(SERVICES / selected.stage / "handler.py", folder / "handler.py")
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
    (library.parent / BUNDLED).write_text(json.dumps(selected.environment, indent=2) + "\n")
    (folder / "requirements.txt").write_text("\n".join(selected.requirements) + "\n")
    (folder / "README.md").write_text(write_card(selected))
    return folder


def _left_out(selected: Selected) -> Callable[[Any, list[str]], set[str]]:
    """Caches, hidden files, and the built-in model's weights where another model is chosen."""
    weights = [] if selected.is_built_in else [BUILT_IN]
    return shutil.ignore_patterns("__pycache__", ".*", "*.partial", *weights)
