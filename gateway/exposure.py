"""The settings of what the gateway bears from the network, and of what it shows to its stages."""

from typing import Any

from pydantic import BaseModel, Field, SecretStr, field_validator

from .addresses import fitting_a_header


class Exposure(BaseModel):
    """How long it waits for who connects, and for how many; which proxies it believes; its stages' secret."""

    stage_secret: SecretStr | None = Field(
        None,
        description="Bearer token for every stage without one of its own that is not on Hugging Face: the "
        "`STAGE_SECRET` of the stages.",
    )
    header_timeout: float = Field(
        15, gt=0, le=3600, description="Seconds within which the head of a request must have arrived."
    )
    max_connections: int = Field(
        1000, ge=1, le=100_000, description="Connections at a time; more are answered 503 and closed."
    )
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count, "
        "with `,` between them; `*`: any.",
    )

    @field_validator("stage_secret", mode="before")
    @classmethod
    def _secret_fits_a_header(cls, value: Any) -> Any:
        return fitting_a_header(value, "stage_secret")
