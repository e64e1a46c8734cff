"""The OpenAPI of routes that read their bodies themselves, and of the keys that all routes ask for."""

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of this gateway."},
    "basic": {"type": "http", "scheme": "basic", "description": "The key as the password of any user."},
}
"""A key is sent in one of these ways."""
ANY_OF_THEM: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]


def json_body(model: type[BaseModel], examples: dict[str, Any]) -> dict[str, Any]:
    """A body in JSON, with examples that run, by what they show."""
    return {"application/json": {"schema": model.model_json_schema(), "examples": examples}}


def form_body(model: type[BaseModel], files: Iterable[str]) -> dict[str, Any]:
    """The same fields as a form, some of them files."""
    schema = model.model_json_schema()
    properties = schema["properties"]
    binary = {name: {**properties[name], "format": "binary"} for name in files}
    return {"multipart/form-data": {"schema": {**schema, "properties": {**properties, **binary}}}}


def reads(*contents: dict[str, Any]) -> dict[str, Any]:
    """What a route reads, in any of these forms."""
    return {
        "requestBody": {
            "required": True,
            "content": {kind: one for content in contents for kind, one in content.items()},
        }
    }


def declare_keys(app: FastAPI, are_used: bool, is_open: Callable[[str], bool]) -> None:
    """Says in the description of this application which routes ask for a key; none has to, where the gateway
    has none."""
    describe = app.openapi

    def with_keys() -> dict[str, Any]:
        schema = describe()
        schema["components"]["securitySchemes"] = SCHEMES
        schema["security"] = ANY_OF_THEM if are_used else [*ANY_OF_THEM, {}]
        for path in filter(is_open, schema["paths"]):
            for operation in schema["paths"][path].values():
                operation["security"] = []
        return schema

    app.openapi = with_keys  # type: ignore[method-assign]
