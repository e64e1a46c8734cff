"""What the stage server reads from the environment."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SERVICES = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
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
