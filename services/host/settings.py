"""What the stage server reads from the environment."""

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from triptych.telemetry import TelemetrySettings

SERVICES = Path(__file__).resolve().parent.parent
HOW_TO_MAKE_ONE = "set STAGE_SECRET, the gateway's as well, to what `openssl rand -base64 32` prints"


class Settings(TelemetrySettings):
    """One field per environment variable; the variable has the field's name in capitals."""

    model_config = SettingsConfigDict(case_sensitive=False, frozen=True)

    stage: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
        description="The stage to serve: text_encoder, diffusion, inpainting, decoder or all_in_one.",
    )
    facades: str = Field(
        "",
        pattern=r"^([A-Za-z][A-Za-z0-9_]*(,[A-Za-z][A-Za-z0-9_]*)*)?$",
        description="Stages that the same process serves too, each under its name (`/inpainting`), separated "
        "by commas. With `inpainting` the diffusion stage does both with one UNet.",
    )
    host: str = Field("127.0.0.1", description="The address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on.")
    handlers_dir: Path = Field(SERVICES, description="The folder with one folder per stage.")
    max_body_bytes: int = Field(
        32 * 1024 * 1024, ge=1, description="The largest request body taken; a larger one gets 413."
    )
    max_queue: int = Field(
        64,
        ge=0,
        description="How many requests may be there besides one, running or waiting; one more gets 429.",
    )
    body_timeout: float = Field(
        60.0, gt=0, description="Seconds within which a request's body must have arrived."
    )
    header_timeout: float = Field(
        15.0, gt=0, description="Seconds within which the head of a request must have arrived."
    )
    max_connections: int = Field(
        1000, ge=1, description="Connections at a time; more are answered 503 and closed."
    )
    stage_secret: SecretStr = Field(
        SecretStr(""),
        description="If set, requests must have it as `Authorization: Bearer`; `/health` and `/ready` need "
        "none. The gateway's `STAGE_SECRET`, or its token for this stage.",
    )
    stage_secret_file: Path | None = Field(
        None, description="A file that holds it, which is how containers get secrets."
    )
    stages_publish: str = Field(
        "",
        description="In a container, the address of the host at which its port is published "
        "(`compose/ports.yaml`). One that others than this machine can reach needs a secret.",
    )
    metrics_open: bool = Field(
        False, description="`true`: `/metrics` needs no secret, for a network of one's own."
    )
    stop_timeout: float = Field(
        8.0,
        ge=0,
        description="Seconds that requests under way may still take once the server is told to stop.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least level logged; at DEBUG, health checks are logged as well."
    )

    @property
    def handler_dir(self) -> Path:
        """The stage's folder, the one that would be a Hugging Face model repository."""
        return self.handlers_dir / self.stage

    @property
    def facade_names(self) -> list[str]:
        """The stages that are served beside the first."""
        return list(filter(None, self.facades.split(",")))

    @property
    def secret(self) -> str:
        """Empty where there is none."""
        if self.stage_secret_file is None:
            return self.stage_secret.get_secret_value().strip()
        return self.stage_secret_file.read_text("utf-8").strip()

    @property
    def is_exposed(self) -> bool:
        """Whether others than this machine may reach it, and nothing is asked of them."""
        return not self.secret and not _is_loopback(self.host)

    @field_validator("stage_secret_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _secret_is_one(self) -> Self:
        if self.stage_secret_file is None:
            return self
        if self.stage_secret.get_secret_value():
            raise ValueError("set STAGE_SECRET or STAGE_SECRET_FILE, not both")
        try:
            secret = self.secret
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"STAGE_SECRET_FILE must name a readable text file: {error}") from None
        if not secret:
            raise ValueError(f"STAGE_SECRET_FILE must hold a secret; {self.stage_secret_file} is empty")
        return self

    @model_validator(mode="after")
    def _has_a_secret_where_it_is_published(self) -> Self:
        if self.stages_publish and not self.secret and not _is_loopback(self.stages_publish.strip("[]")):
            raise ValueError(
                "STAGES_PUBLISH lets others than this machine reach the stage, so it needs a secret: "
                f"{HOW_TO_MAKE_ONE}"
            )
        return self

    @model_validator(mode="after")
    def _handlers_exist(self) -> Self:
        self._require_handler("STAGE", self.stage)
        for name in self.facade_names:
            self._require_handler("FACADES", name)
        if len({self.stage, *self.facade_names}) <= len(self.facade_names):
            raise ValueError(
                f"FACADES must name other stages than {self.stage}, each once; got {self.facades}"
            )
        return self

    def _require_handler(self, variable: str, name: str) -> None:
        stages = sorted(path.parent.name for path in self.handlers_dir.glob("*/handler.py"))
        if name not in stages:
            raise ValueError(
                f"{variable} must be a folder of HANDLERS_DIR ({self.handlers_dir}) that has a handler.py; "
                f"got {name!r}, there are: {', '.join(stages) or 'none'}"
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
