"""The gateway's settings: one class, every environment variable with its meaning.

`python -m gateway.settings` prints them as the table in the README.
"""

import re
from dataclasses import replace
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from triptych.telemetry import TelemetrySettings
from triptych.wire import describe

from .addresses import (
    DEFAULT_PORTS,
    STAGES,
    STORE_SCHEMES,
    Addresses,
    fitting_a_header,
    is_store_url,
    local_url,
)
from .codecs import WireChoice
from .environment import ModelVariables, SecretFiles, is_secret
from .exposure import Exposure
from .info import Shapes, read_shapes
from .keys.settings import KeySettings
from .places import Named, Place, is_hugging_face, without_userinfo

MEBIBYTE = 1024 * 1024
HOST = re.compile(r"([\w.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?", re.ASCII)
"""A name or an address, one of version 6 in brackets, and a port."""


class Settings(Addresses, KeySettings, Exposure, TelemetrySettings):
    """Every environment variable that the gateway reads. A bad combination is refused with a sentence."""

    model_config = SettingsConfigDict(env_ignore_empty=False, frozen=True, extra="ignore")

    models: Annotated[dict[str, Addresses], NoDecode] = Field(
        {},
        description="Where the stages of another model run, by its name of letters, digits, _ and -, as "
        "`DIFFUSION_URLS__anime` says it; also `…_URL__`, `…_TOKEN__` and `…_TOKENS__`. Chosen by `model` in "
        "the request; it uses the standard stages where it has none of its own.",
    )
    hf_token: SecretStr | None = Field(
        None,
        description="Bearer token for every stage without one of its own whose address is https on "
        "huggingface.cloud, huggingface.co or hf.space; sent nowhere else.",
    )
    stage_timeout: float = Field(600, gt=0, le=86_400, description="Seconds that a call to a stage may take.")
    request_timeout: float = Field(
        1800,
        gt=0,
        le=86_400,
        description="Seconds that a request may take in all its stages, waiting included; each batch of one "
        "that takes several, as other programs' clients may ask for.",
    )
    stage_attempts: int = Field(
        4,
        ge=1,
        le=20,
        description="How often a stage is asked for its part of a request, all replicas together.",
    )
    wake_timeout: float = Field(
        300,
        gt=0,
        le=3600,
        description="Seconds that a request is held for an endpoint that is asleep to wake.",
    )
    restart_timeout: float = Field(
        120,
        ge=0,
        le=3600,
        description="Seconds that a request waits for a stage that went away in the middle of it to come "
        "back, where no other can go on with it; and a job for a stage that fails.",
    )
    proxy_timeout: float = Field(
        50,
        gt=0,
        le=86_400,
        description="A call that is cut off, or answered 502 or 504, after so many seconds of silence has "
        "met a proxy's time limit, and is not repeated there.",
    )
    state_every: int = Field(
        5,
        ge=0,
        le=1000,
        description="After how many steps a stage that can be resumed hands over where it is: where it "
        "fails, so many at most are done again. 0: never; nor where all of them take less than a second.",
    )
    plain_shapes: Annotated[Shapes, NoDecode] = Field(
        {},
        description="Shapes of what plain endpoints make, without the batch axis, such as "
        "`context=77x768,latent=64x64x4,image=512x512x3`; those not named are taken from their first answer.",
    )
    stage_info_seconds: float = Field(
        30, ge=0, le=3600, description="How long a stage's own description counts before it is asked again."
    )
    stage_answer_bytes: int = Field(
        256 * MEBIBYTE, ge=MEBIBYTE, description="Longest answer read from a stage, in bytes."
    )
    wire_format: Literal["safetensors", "base64"] = Field(
        "safetensors",
        description="How tensors travel to and from stages that announce more than the contract's base64, "
        "which every other stage gets; with `base64` stages tell no progress either, and are not resumed.",
    )
    wire_dtype: Literal["float32", "float16"] = Field(
        "float32",
        description="What contexts and latents travel in as safetensors; float16 is half the bytes, and "
        "changes pictures slightly.",
    )
    wire_images: Literal["raw", "png", "webp"] = Field(
        "raw",
        description="What a decoder's pictures travel as in safetensors: as they are, or as PNG or WebP "
        "files without loss, which are smaller and cost time, for a decoder behind a slow line.",
    )
    gateway_host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for every interface."
    )
    gateway_port: int = Field(8000, ge=1, le=65_535, description="Port to listen on.")
    stop_timeout: int = Field(
        5,
        ge=1,
        le=3600,
        description="Seconds that requests under way may still take once the gateway is told to stop.",
    )
    max_concurrent_requests: int = Field(
        8, ge=1, le=1000, description="Pictures under way at a time; more are answered 429 at once."
    )
    jobs_dir: str = Field(
        "",
        description="Folder of the jobs (`POST /v1/jobs`) and their pictures, one for each gateway. Empty: a "
        "temporary one, and jobs end with the gateway.",
    )
    jobs_url: str = Field(
        "",
        description="Redis or Valkey server of the jobs, in the place of `JOBS_DIR`, for gateways that share "
        "them: `redis://host:6379/0`, also `rediss://` (TLS), `valkey://` and `valkeys://`.",
    )
    jobs_password: SecretStr | None = Field(
        None, description="Password of `JOBS_URL`, in the place of one in it."
    )
    jobs_lease_seconds: float = Field(
        15,
        ge=1,
        le=3600,
        description="With `JOBS_URL`: the jobs of a gateway that has not been heard of for so long are taken "
        "over by others.",
    )
    jobs_queue: int = Field(
        100, ge=1, le=10_000, description="Jobs that may wait for their turn; more are answered 429."
    )
    jobs_keep_seconds: float = Field(
        86_400, gt=0, description="Seconds that a job which has ended is kept, with its pictures."
    )
    jobs_bytes: int = Field(
        1024 * MEBIBYTE,
        ge=MEBIBYTE,
        description="Most that jobs take in their store, in bytes: those that ended first go first.",
    )
    webhook_hosts: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        description="Hosts that may be told when a job ends, such as `hooks.example,10.0.0.5:9000`; with no "
        "port, the port of the URL's scheme. Empty: none.",
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
        description="Largest image taken, in pixels: width × height × num_images. "
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
        return init_settings, SecretFiles(settings_cls), ModelVariables(settings_cls), env_settings

    @field_validator("hf_token", mode="before")
    @classmethod
    def _token_fits_a_header(cls, value: Any) -> Any:
        return fitting_a_header(value, "hf_token")

    @field_validator(*(f"{stage}_{kind}" for stage in STAGES for kind in ("url", "urls")))
    @classmethod
    def _is_an_address(cls, value: str, info: ValidationInfo) -> str:
        stage, _, kind = str(info.field_name).rpartition("_")
        _ = Named(stage, **{kind: value}).places
        return value

    @field_validator("jobs_url")
    @classmethod
    def _is_a_store(cls, value: str) -> str:
        if value and not is_store_url(value):
            schemes = ", ".join(STORE_SCHEMES)
            raise ValueError(
                f"JOBS_URL must be the address of a server, such as redis://host:6379/0 ({schemes})."
            )
        return value

    @field_validator("plain_shapes", mode="before")
    @classmethod
    def _reads_as_shapes(cls, value: Any) -> Any:
        try:
            return read_shapes(value) if isinstance(value, str) else value
        except ValueError as error:
            raise ValueError(f"PLAIN_SHAPES {error}.") from None

    @field_validator("webhook_hosts", mode="before")
    @classmethod
    def _reads_as_hosts(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        hosts = frozenset(filter(None, (host.strip().lower() for host in value.split(","))))
        for host in hosts:
            if not HOST.fullmatch(host):
                raise ValueError(
                    f"WEBHOOK_HOSTS must be names or addresses of hosts, with or without a port; got {host}."
                )
        return hosts

    @model_validator(mode="before")
    @classmethod
    def _default_urls(cls, values: dict[str, Any]) -> dict[str, Any]:
        """What is on this machine; and a list counts where one of it, or all of it, is named as well."""
        for stage in STAGES:
            listed = str(values.get(f"{stage}_urls") or "")
            if values.get(f"{stage}_url") in (listed, *map(str.strip, re.split("[,;]", listed))):
                values = {**values, f"{stage}_url": ""}
        off = bool(values.get("all_in_one_url") or values.get("all_in_one_urls"))
        urls = {
            f"{stage}_url": "" if off or values.get(f"{stage}_urls") else local_url(stage)
            for stage in DEFAULT_PORTS
        }
        return {**urls, **values}

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        places = [place for model in (None, *self.models) for place in self._places(model)]
        if not self._places(None):
            raise ValueError("Every stage is off: set TEXT_ENCODER_URL, DIFFUSION_URL and DECODER_URL.")
        stages: dict[str, Place] = {}
        for place in places:
            twin = stages.setdefault(place.url, place)
            if twin.stage != place.stage:
                raise ValueError(
                    f"{twin.variable} and {place.variable} must differ, each stage has its own "
                    f"address; both are {without_userinfo(place.url)}."
                )
            if urlsplit(place.url).username is not None and place.token:
                raise ValueError(
                    f"{place.variable} must not hold a user name where the stage has a token: "
                    "one of the two would not be sent. Remove one."
                )
        self._check_models()
        return self

    def _check_models(self) -> None:
        for model, places in self.models.items():
            if not self._places(model):
                raise ValueError(f"The model {model} must have an address: set DIFFUSION_URLS__{model}.")
            for stage in STAGES:
                named = places.named(stage, f"__{model}")
                if (named.token or named.tokens) and not named.places:
                    raise ValueError(f"{named.variable('TOKEN')} must go with {named.variable('URL')}.")

    @property
    def wire_choice(self) -> WireChoice:
        """What tensors travel as where a stage leaves the choice."""
        return WireChoice(self.wire_format == "safetensors", self.wire_dtype, self.wire_images)

    def _places(self, model: str | None) -> list[Place]:
        return [place for stage in STAGES for place in self.places(stage, model)]

    def places(self, stage: str, model: str | None = None) -> tuple[Place, ...]:
        """Where the stage of this model runs, each place with its token, or with that of all such places."""
        named = self.models[model].named(stage, f"__{model}") if model else self.named(stage)
        return tuple(replace(place, token=place.token or self._token(place.url)) for place in named.places)

    def _token(self, url: str) -> SecretStr | None:
        """A user name in an address is sent in a token's place."""
        if is_hugging_face(url):
            return self.hf_token
        return None if urlsplit(url).username is not None else self.stage_secret


def markdown_table() -> str:
    """The variables as a Markdown table, in the order of the class."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for name, field in sorted(
        Settings.model_fields.items(), key=lambda one: one[0] in TelemetrySettings.model_fields
    ):
        variable = f"`{name.upper()}`"
        if name == "models":
            variable = "`<STAGE>_URLS__<model>`"
        if is_secret(name):
            variable += f" or `{name.upper()}_FILE`"
        rows.append(f"| {variable} | {_default_text(name, field)} | {field.description} |")
    return "\n".join(rows)


def _default_text(name: str, field: FieldInfo) -> str:
    stage = name.removesuffix("_url")
    if stage in DEFAULT_PORTS:
        return f"`{local_url(stage)}`"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`" if field.default not in (None, "", {}, frozenset()) else ""


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
