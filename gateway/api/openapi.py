"""The OpenAPI of routes that read their bodies themselves."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel


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
