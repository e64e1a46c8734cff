"""Where settings come from, beside the variables of their own names."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

SECRET_KINDS = ("token", "tokens", "password", "secret")
MODEL_NAME = re.compile(r"[a-z0-9_-]+")
FILE = "_FILE"


class SecretFiles(PydanticBaseSettingsSource):
    """Reads `X_TOKEN` from the file that `X_TOKEN_FILE` names, which is how containers get secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        return read_secret(field_name.upper()), field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        tokens = {name: self.get_field_value(fields[name], name)[0] for name in fields if is_secret(name)}
        return {name: token for name, token in tokens.items() if token is not None}


class ModelVariables(PydanticBaseSettingsSource):
    """Reads what is named for one model, as `DIFFUSION_URLS__anime` is, into the field `models`."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._models(), field_name, False

    def __call__(self) -> dict[str, Any]:
        return {"models": self._models()}

    def _models(self) -> dict[str, dict[str, str]]:
        models: dict[str, dict[str, str]] = {}
        for variable, field, name in self._variables():
            model = name.lower()
            if not MODEL_NAME.fullmatch(model):
                raise ValueError(
                    f"{variable} must end with a model's name of letters, digits, _ and -; got {name!r}."
                )
            if field in models.setdefault(model, {}):
                raise ValueError(f"{variable} must be set once; it is set twice, in capitals and not.")
            secret = read_secret(variable) if is_secret(field) else None
            models[model][field] = os.environ.get(variable, "") if secret is None else secret
        return models

    def _variables(self) -> Iterator[tuple[str, str, str]]:
        """(variable without `_FILE`, field, name of the model)"""
        names = (variable.removesuffix(FILE) if "_TOKEN" in variable else variable for variable in os.environ)
        for variable in dict.fromkeys(names):
            field, _, name = variable.partition("__")
            if name and field.lower() in self.settings_cls.model_fields:
                yield variable, field.lower(), name


def is_secret(field: str) -> bool:
    """Whether the field holds a token, or several, a password or a secret."""
    return field.rpartition("_")[2] in SECRET_KINDS


def read_secret(variable: str) -> str | None:
    """What is in the file that `<variable>_FILE` names, None where none is. ValueError with a sentence."""
    path = os.environ.get(f"{variable}{FILE}")
    if not path:
        return None
    if os.environ.get(variable):
        raise ValueError(f"Set {variable} or {variable}{FILE}, not both.")
    try:
        token = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{variable}{FILE} must name a readable text file; got {path}: {error}") from None
    if not token:
        kind = "password" if variable.endswith("PASSWORD") else "token"
        raise ValueError(f"{variable}{FILE} must name a file that holds a {kind}; {path} is empty.")
    return token
