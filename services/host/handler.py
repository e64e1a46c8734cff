"""Finds and constructs a stage's handler exactly as a Hugging Face Inference Endpoint does."""

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from triptych.wire import Tensors

Report = Callable[[str, float | None], None]


class Handler(Protocol):
    """What `handler.py` must offer; `info()` is ours, and a plain endpoint's handler has none."""

    def __call__(self, data: dict[str, Any]) -> Any: ...


@runtime_checkable
class TensorHandler(Handler, Protocol):
    """One of ours: it also takes `inputs` as Tensors, and gives its answer before it is base64."""

    def tensors(self, data: dict[str, Any]) -> Tensors: ...


def load_handler(folder: Path, report: Report) -> Handler:
    """The EndpointHandler of `folder`/handler.py, constructed with the folder's path.

    `handler.py` is loaded by its location, with the folder first on `sys.path`: absolute imports of
    the files beside it work and relative ones do not, here as there (huggingface-inference-toolkit).
    `report` is handed over if the constructor names it. Raises whatever the handler raises.
    """
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("handler", folder / "handler.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder / 'handler.py'} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["handler"] = module
    spec.loader.exec_module(module)
    constructor = module.EndpointHandler
    extras = {"report": report} if "report" in inspect.signature(constructor).parameters else {}
    return cast(Handler, constructor(str(folder), **extras))
