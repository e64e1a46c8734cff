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
    host: str = Field("127.0.0.1", description="The address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on.")
    handlers_dir: Path = Field(SERVICES, description="The folder with one folder per stage.")
    max_body_bytes: int = Field(
        32 * 1024 * 1024, ge=1, description="The largest request body taken; a larger one gets 413."
    )
    max_queue: int = Field(
        16, ge=0, description="How many requests may wait while one runs; one more gets 429."
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

    @model_validator(mode="after")
    def _handler_exists(self) -> Self:
        if not (self.handler_dir / "handler.py").is_file():
            stages = sorted(path.parent.name for path in self.handlers_dir.glob("*/handler.py"))
            raise ValueError(
                f"STAGE must be a folder of HANDLERS_DIR ({self.handlers_dir}) that has a handler.py; "
                f"got {self.stage!r}, there are: {', '.join(stages) or 'none'}"
            )
        return self
