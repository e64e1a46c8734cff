"""Where the stages of one model run, as the variables of the environment say it."""

from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, ValidationInfo, field_validator

from .places import Named

DEFAULT_PORTS = {"text_encoder": 8001, "diffusion": 8002, "inpainting": 8003, "decoder": 8004}
STAGES = (*DEFAULT_PORTS, "all_in_one")
KINDS = ("url", "urls", "token", "tokens")
STORE_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
"""Of servers that jobs are kept in, and what the library calls them."""


def local_url(stage: str) -> str:
    """Where the stage is on this machine unless told otherwise."""
    return f"http://127.0.0.1:{DEFAULT_PORTS[stage]}"


def is_store_url(url: str) -> bool:
    """Whether it is the address of a server that jobs can be kept in."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in STORE_SCHEMES and bool(parts.hostname) and port != 0


def _url(stage: str) -> Any:
    return Field(
        "",
        description=f"Where the {stage} stage runs: a container or a Hugging Face Endpoint. Empty: off.",
    )


def _urls(stage: str) -> Any:
    return Field(
        "",
        description=f"Where the {stage} stage runs, if in several places: `,` between equals, `;` before "
        "those that are asked where none before them can do it.",
    )


def _token(stage: str) -> Any:
    return Field(None, description=f"Bearer token for the {stage} stage, sent to its address only.")


def _tokens(stage: str) -> Any:
    return Field(
        None,
        description=f"Bearer tokens for the {stage} stage, one for each of its addresses, in their order; "
        "an entry may be empty.",
    )


class Addresses(BaseModel):
    """Where the stages of one model run, as the environment says it."""

    text_encoder_url: str = _url("text_encoder")
    text_encoder_urls: str = _urls("text_encoder")
    diffusion_url: str = _url("diffusion")
    diffusion_urls: str = _urls("diffusion")
    inpainting_url: str = _url("inpainting")
    inpainting_urls: str = _urls("inpainting")
    decoder_url: str = _url("decoder")
    decoder_urls: str = _urls("decoder")
    all_in_one_url: str = Field(
        "",
        description="Where the all_in_one stage runs. When set, a text-to-image request is one call to it, "
        "and the other stages are off unless their own address is set.",
    )
    all_in_one_urls: str = _urls("all_in_one")
    text_encoder_token: SecretStr | None = _token("text_encoder")
    text_encoder_tokens: SecretStr | None = _tokens("text_encoder")
    diffusion_token: SecretStr | None = _token("diffusion")
    diffusion_tokens: SecretStr | None = _tokens("diffusion")
    inpainting_token: SecretStr | None = _token("inpainting")
    inpainting_tokens: SecretStr | None = _tokens("inpainting")
    decoder_token: SecretStr | None = _token("decoder")
    decoder_tokens: SecretStr | None = _tokens("decoder")
    all_in_one_token: SecretStr | None = _token("all_in_one")
    all_in_one_tokens: SecretStr | None = _tokens("all_in_one")

    @field_validator(*(f"{stage}_{kind}" for stage in STAGES for kind in ("token", "tokens")), mode="before")
    @classmethod
    def _fits_a_header(cls, value: Any, info: ValidationInfo) -> Any:
        """An empty token is none: compose hands on an unset variable as an empty one."""
        return fitting_a_header(value, str(info.field_name))

    def named(self, stage: str, suffix: str = "") -> Named:
        """What is said of one stage; the suffix is how its variables end."""
        url, urls, token, tokens = (getattr(self, f"{stage}_{kind}") for kind in KINDS)
        return Named(stage, url, urls, _secret(token), _secret(tokens), suffix)


def _secret(token: SecretStr | None) -> str:
    return token.get_secret_value() if token else ""


def fitting_a_header(value: Any, field: str) -> Any:
    """The token as it is sent; None where it is empty."""
    if not isinstance(value, str):
        return value
    token = value.strip()
    if not (token.isascii() and token.isprintable()):
        raise ValueError(f"{field.upper()} must be printable ASCII characters.")
    return token or None
