"""Imports point one way; DESIGN.md draws it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
STAGES = ("text_encoder", "diffusion", "inpainting", "decoder", "all_in_one")
WEB = {"fastapi", "starlette", "uvicorn", "httpx"}
MODELS = {"keras", "keras_cv", "tensorflow", "safetensors", "huggingface_hub"}


def imports(folder: Path) -> Iterator[tuple[str, str]]:
    """Every absolute import below the folder, as (file, module)."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path.name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                yield path.name, node.module


def roots(folder: Path) -> set[str]:
    return {module.split(".")[0] for _, module in imports(folder)}


def test_the_gateway_shares_nothing_with_the_stages_but_the_wire() -> None:
    used = {module for _, module in imports(ROOT / "gateway")}
    assert not MODELS & roots(ROOT / "gateway")
    assert not {"host", *STAGES} & roots(ROOT / "gateway")
    assert {module for module in used if module.split(".")[0] == "triptych"} <= {"triptych.wire"}


def test_the_host_knows_nothing_of_models() -> None:
    used = {module for _, module in imports(SERVICES / "host")}
    assert not {*MODELS, "gateway", *STAGES} & roots(SERVICES / "host")
    assert {module for module in used if module.split(".")[0] == "triptych"} <= {"triptych.wire"}


def test_the_library_knows_nothing_of_the_web() -> None:
    assert not {*WEB, "host", "gateway", *STAGES} & roots(SERVICES / "triptych")


@pytest.mark.parametrize("stage", STAGES)
def test_a_handler_knows_the_library_alone(stage: str) -> None:
    assert roots(SERVICES / stage) <= {"typing", "numpy", "triptych"}


def test_bundles_and_deployments_know_of_the_library_what_the_environment_says_alone() -> None:
    used = {module for _, module in imports(ROOT / "endpoints")}
    assert not {*MODELS - {"huggingface_hub"}, "host", "gateway", *STAGES} & roots(ROOT / "endpoints")
    assert {module for module in used if module.split(".")[0] == "triptych"} <= {"triptych.selection"}


def test_the_wire_needs_numpy_alone() -> None:
    tree = ast.parse((SERVICES / "triptych" / "wire.py").read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert names <= {"base64", "binascii", "math", "numpy", "numpy.typing"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
