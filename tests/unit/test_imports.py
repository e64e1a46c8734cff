"""Imports point one way; DESIGN.md draws it."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
STAGES = ("text_encoder", "diffusion", "inpainting", "decoder", "all_in_one")
WEB = {"fastapi", "starlette", "uvicorn", "httpx"}
MODELS = {"keras", "keras_cv", "tensorflow", "huggingface_hub"}
WIRES = {"triptych.wire", "triptych.remote_vae", "triptych.patience", "triptych.watchdog"}
"""What travels between processes, and how long both sides wait for it."""
FOLLOWED = {"triptych.tracing", "triptych.log_lines", "triptych.telemetry"}
"""By what a request is followed from one to the next. Both sides share these modules and no others."""


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


def test_the_gateway_shares_nothing_with_the_stages_but_the_wires() -> None:
    used = {module for _, module in imports(ROOT / "gateway")}
    assert not MODELS & roots(ROOT / "gateway")
    assert not {"host", *STAGES} & roots(ROOT / "gateway")
    assert {module for module in used if module.split(".")[0] == "triptych"} <= WIRES | FOLLOWED


def test_the_command_line_needs_httpx_and_rich_alone() -> None:
    assert roots(ROOT / "triptych_client") - sys.stdlib_module_names == {"httpx", "rich"}


def test_the_host_knows_nothing_of_models() -> None:
    used = {module for _, module in imports(SERVICES / "host")}
    assert not {*MODELS, "gateway", *STAGES} & roots(SERVICES / "host")
    assert {module for module in used if module.split(".")[0] == "triptych"} <= WIRES | FOLLOWED


def test_what_follows_a_request_needs_nothing_of_the_library() -> None:
    for name in FOLLOWED:
        source = (SERVICES / name.replace(".", "/")).with_suffix(".py").read_text()
        own = {
            node.module
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.ImportFrom) and node.level
        }
        assert {f"triptych.{module}" for module in own} <= FOLLOWED


def test_the_library_knows_nothing_of_the_web() -> None:
    assert not {*WEB, "host", "gateway", *STAGES} & roots(SERVICES / "triptych")


@pytest.mark.parametrize("stage", STAGES)
def test_a_handler_knows_the_library_alone(stage: str) -> None:
    assert roots(SERVICES / stage) - sys.stdlib_module_names <= {"numpy", "triptych"}


def test_bundles_and_deployments_know_of_the_library_what_the_environment_says_alone() -> None:
    used = {module for _, module in imports(ROOT / "endpoints")}
    assert not {*MODELS - {"huggingface_hub"}, "host", "gateway", *STAGES} & roots(ROOT / "endpoints")
    assert {module for module in used if module.split(".")[0] == "triptych"} <= {"triptych.selection"}


@pytest.mark.parametrize(
    ("module", "needs"),
    [
        ("wire", {"numpy", "safetensors"}),
        ("remote_vae", {"numpy", "ml_dtypes", "PIL"}),
        ("patience", set()),
        ("watchdog", set()),
    ],
)
def test_a_wire_needs_arrays_and_file_formats_alone(module: str, needs: set[str]) -> None:
    tree = ast.parse((SERVICES / "triptych" / f"{module}.py").read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = {
        node.module: node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }
    used = {name.split(".")[0] for name in names | {name for name, level in froms.items() if not level}}
    assert used - sys.stdlib_module_names <= needs
    assert {name for name, level in froms.items() if level} <= {"wire"}
