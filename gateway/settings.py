"""The gateway's settings: one class, every environment variable with its meaning.

`python -m gateway.settings` prints them as the table in the README.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import SplitResult, urlsplit

import httpx
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from triptych.wire import describe

DEFAULT_PORTS = {"text_encoder": 8001, "diffusion": 8002, "inpainting": 8003, "decoder": 8004}
STAGES = (*DEFAULT_PORTS, "all_in_one")
HUGGING_FACE_DOMAINS = ("huggingface.cloud", "huggingface.co", "hf.space")
MEBIBYTE = 1024 * 1024


def is_hugging_face(url: str) -> bool:
    """Whether a Hugging Face token may be sent to this address: https, on a host of Hugging Face's."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    trusted = any(host == domain or host.endswith(f".{domain}") for domain in HUGGING_FACE_DOMAINS)
    return parts.scheme == "https" and trusted


def local_url(stage: str) -> str:
    """Where the stage is on this machine unless told otherwise."""
    return f"http://127.0.0.1:{DEFAULT_PORTS[stage]}"


class SecretFiles(PydanticBaseSettingsSource):
    """Reads `X_TOKEN` from the file that `X_TOKEN_FILE` names, which is how containers get secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        return _read_secret(field_name.upper()), field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        tokens = {name: self.get_field_value(fields[name], name)[0] for name in _token_fields(fields)}
        return {name: token for name, token in tokens.items() if token is not None}


def _token_fields(fields: dict[str, FieldInfo]) -> Iterator[str]:
    return (name for name in fields if name.endswith("_token"))


def _read_secret(variable: str) -> str | None:
    path = os.environ.get(f"{variable}_FILE")
    if not path:
        return None
    if os.environ.get(variable):
        raise ValueError(f"Set {variable} or {variable}_FILE, not both.")
    try:
        token = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{variable}_FILE must name a readable text file; got {path}: {error}") from None
    if not token:
        raise ValueError(f"{variable}_FILE must name a file that holds a token; {path} is empty.")
    return token


def _url(stage: str) -> Any:
    return Field(
        "",
        description=f"Where the {stage} stage runs: a container or a Hugging Face Endpoint. Empty: off.",
    )


def _token(stage: str) -> Any:
    return Field(None, description=f"Bearer token for the {stage} stage, sent to its address only.")


class Settings(BaseSettings):
    """Every environment variable that the gateway reads. A bad combination is refused with a sentence.

    After validation every stage URL is a string without a trailing slash, empty where the stage is off.
    """

    model_config = SettingsConfigDict(env_ignore_empty=False, frozen=True, extra="ignore")

    text_encoder_url: str = _url("text_encoder")
    diffusion_url: str = _url("diffusion")
    inpainting_url: str = _url("inpainting")
    decoder_url: str = _url("decoder")
    all_in_one_url: str = Field(
        "",
        description="Where the all_in_one stage runs. When set, a text-to-image request is one call to it, "
        "and the other stages are off unless their own address is set.",
    )
    text_encoder_token: SecretStr | None = _token("text_encoder")
    diffusion_token: SecretStr | None = _token("diffusion")
    inpainting_token: SecretStr | None = _token("inpainting")
    decoder_token: SecretStr | None = _token("decoder")
    all_in_one_token: SecretStr | None = _token("all_in_one")
    hf_token: SecretStr | None = Field(
        None,
        description="Bearer token for every stage without one of its own whose address is https on "
        "huggingface.cloud, huggingface.co or hf.space; sent nowhere else.",
    )
    stage_timeout: float = Field(600, gt=0, le=86_400, description="Seconds that a call to a stage may take.")
    stage_info_seconds: float = Field(
        30, ge=0, le=3600, description="How long a stage's own description counts before it is asked again."
    )
    stage_answer_bytes: int = Field(
        256 * MEBIBYTE, ge=MEBIBYTE, description="Longest answer read from a stage, in bytes."
    )
    gateway_host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for every interface."
    )
    gateway_port: int = Field(8000, ge=1, le=65_535, description="Port to listen on.")
    max_concurrent_requests: int = Field(
        8, ge=1, le=1000, description="Pictures under way at a time; more are answered 429 at once."
    )
    max_request_bytes: int = Field(
        32 * MEBIBYTE, ge=1024, description="Longest request body, in bytes; a longer one is answered 413."
    )
    body_timeout: float = Field(
        60, gt=0, le=3600, description="Seconds within which a request's body must have arrived."
    )
    max_image_pixels: int = Field(
        16 * MEBIBYTE,
        ge=4096,
        description="Largest image taken for inpainting, in pixels: width × height × num_images. "
        "Each takes about 20 bytes of memory while it is worked on.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe log line written to standard output: DEBUG, INFO, WARNING or ERROR."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, SecretFiles(settings_cls), env_settings

    @field_validator(*(f"{stage}_token" for stage in STAGES), "hf_token", mode="before")
    @classmethod
    def _fits_a_header(cls, value: Any, info: ValidationInfo) -> Any:
        """An empty token is none: compose hands on an unset variable as an empty one."""
        if not isinstance(value, str):
            return value
        token = value.strip()
        if not (token.isascii() and token.isprintable()):
            raise ValueError(f"{str(info.field_name).upper()} must be printable ASCII characters.")
        return token or None

    @model_validator(mode="before")
    @classmethod
    def _default_urls(cls, values: dict[str, Any]) -> dict[str, Any]:
        off = bool(values.get("all_in_one_url"))
        urls = {f"{stage}_url": "" if off else local_url(stage) for stage in DEFAULT_PORTS}
        return {**urls, **values}

    @field_validator(*(f"{stage}_url" for stage in STAGES))
    @classmethod
    def _is_an_address(cls, value: str, info: ValidationInfo) -> str:
        if value and not _is_address(value):
            raise ValueError(
                f"{str(info.field_name).upper()} must be http(s)://host[:port][/path] or empty; "
                f"got {value.rpartition('@')[2]!r}."
            )
        return value.rstrip("/")

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        urls = {stage: url for stage in STAGES if (url := self.url(stage))}
        if not urls:
            raise ValueError("Every stage is off: set TEXT_ENCODER_URL, DIFFUSION_URL and DECODER_URL.")
        for stage, url in urls.items():
            twins = [other for other in urls if urls[other] == url and other != stage]
            if twins:
                raise ValueError(
                    f"{stage.upper()}_URL and {twins[0].upper()}_URL must differ, each stage has its own "
                    f"address; both are {without_userinfo(url)}."
                )
            if urlsplit(url).username is not None and self.token(stage):
                raise ValueError(
                    f"{stage.upper()}_URL must not hold a user name where the stage has a token: "
                    "one of the two would not be sent. Remove one."
                )
        return self

    def url(self, stage: str) -> str:
        """The stage's address; empty where it is off."""
        return str(getattr(self, f"{stage}_url"))

    def token(self, stage: str) -> SecretStr | None:
        """The stage's own token, or Hugging Face's where its address is theirs."""
        own: SecretStr | None = getattr(self, f"{stage}_token")
        return own or (self.hf_token if is_hugging_face(self.url(stage)) else None)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_sound = parts.port is None or parts.port > 0
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return False
    plain = not (parts.query or parts.fragment) and not any(character.isspace() for character in url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_sound and plain


def without_userinfo(url: str) -> str:
    """The address as it may be shown: a user name and password in it are left out."""
    parts: SplitResult = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def markdown_table() -> str:
    """The variables as a Markdown table, in the order of the class."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        variable = f"`{name.upper()}`"
        if name.endswith("_token"):
            variable += f" or `{name.upper()}_FILE`"
        rows.append(f"| {variable} | {_default_text(name, field)} | {field.description} |")
    return "\n".join(rows)


def _default_text(name: str, field: FieldInfo) -> str:
    stage = name.removesuffix("_url")
    if stage in DEFAULT_PORTS:
        return f"`{local_url(stage)}`"
    return f"`{field.default}`" if field.default not in (None, "") else ""


def sentences(error: ValueError) -> list[str]:
    """What is wrong with the environment, a line each, without the values of secrets."""
    if not isinstance(error, ValidationError):
        return [str(error)]
    return [_sentence(one) for one in error.errors(include_url=False)]


def _sentence(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return message
    return f"{str(error['loc'][0]).upper()}: {message}; got {describe(error['input'])}."


if __name__ == "__main__":
    print(markdown_table())
