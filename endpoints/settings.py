"""What `make deploy` reads from the environment, besides what a bundle is made of."""

from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

INSTANCES = {"cpu": ("intel-spr", "x4"), "gpu": ("nvidia-a10g", "x1")}
"""Type and size where nothing is said: by the price list 4 cores with 8 GB of memory, and one GPU with 24."""


class Settings(BaseSettings):
    """One field per environment variable; the variable has the field's name in capitals."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore")

    namespace: str = Field(
        pattern=r"^[\w.-]+$",
        description="Your user name or organisation on the Hub: who owns and pays for it.",
    )
    name: str = Field(
        "",
        pattern=r"^([a-z0-9][a-z0-9-]{0,30}[a-z0-9])?$",
        description="Of the endpoint and of its repository: 2 to 32 small letters, digits and hyphens; "
        "`triptych-`, the stage and the model if empty.",
    )
    accelerator: Literal["cpu", "gpu"] = Field(
        "cpu",
        description="`cpu` or `gpu`; with a GPU, `KERAS_BACKEND` is `torch`, which the endpoint's image has.",
    )
    instance_type: str = Field(
        "", description="`hf endpoints hardware` lists them; `intel-spr`, with a GPU `nvidia-a10g`, if empty."
    )
    instance_size: str = Field("", description="How many of it; `x4`, with a GPU `x1`, if empty.")
    vendor: str = Field("aws", description="Whose cloud it runs in.")
    region: str = Field("us-east-1", description="Where there.")
    scale_to_zero_minutes: int = Field(
        15, ge=1, description="Minutes without a request after which it sleeps and costs nothing."
    )
    deploy_seconds: float = Field(1800, gt=0, description="How long to wait until it runs.")
    private: bool = Field(True, description="Whether its repository can be seen by you alone.")
    weights_token: SecretStr | None = Field(
        None,
        description="Token for weights that are not public: it becomes the endpoint's secret `HF_TOKEN`.",
    )
    dry_run: bool = Field(
        True,
        description="`false`: do it. Otherwise every call is only shown, and nothing leaves this machine.",
    )
    hf_token: SecretStr | None = Field(
        None, description="Your token, which must be allowed to write; that of `hf auth login` if empty."
    )

    @model_validator(mode="before")
    @classmethod
    def _instance_fits_the_accelerator(cls, values: dict[str, Any]) -> dict[str, Any]:
        usual = INSTANCES.get(values.get("accelerator") or "cpu", ("", ""))
        given = {name: value for name, value in values.items() if value not in (None, "")}
        return {"instance_type": usual[0], "instance_size": usual[1], **given}

    @model_validator(mode="after")
    def _gpu_is_asked_for(self) -> Self:
        if self.accelerator == "cpu" and self.instance_type.startswith("nvidia"):
            raise ValueError(f"INSTANCE_TYPE={self.instance_type} has a GPU: set ACCELERATOR=gpu")
        return self
