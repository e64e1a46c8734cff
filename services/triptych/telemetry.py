"""The settings of a server that say how it is followed: its log, and where its traces go."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from .log_lines import LogFormat


class TelemetrySettings(BaseSettings):
    """What the settings of gateway and stages have in common."""

    log_format: LogFormat = Field(
        "json", description="A line of the log is an object (`json`), or for people to read (`text`)."
    )
    otel_exporter_otlp_endpoint: str = Field(
        "",
        description="Collector that gets traces by OTLP over HTTP, such as `http://jaeger:4318`; with one, "
        "OpenTelemetry's other variables count too, such as `OTEL_TRACES_SAMPLER`. Empty: no traces.",
    )
    otel_exporter_otlp_traces_endpoint: str = Field(
        "", description="The same with its path, which is `/v1/traces` where only the collector is named."
    )

    @field_validator("otel_exporter_otlp_endpoint", "otel_exporter_otlp_traces_endpoint")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError(f"must be a URL with http:// or https://; got {value:.100}")
        return value

    @property
    def traces_url(self) -> str:
        """Where traces are posted; empty where they are not."""
        base = self.otel_exporter_otlp_endpoint.rstrip("/")
        return self.otel_exporter_otlp_traces_endpoint or (base and f"{base}/v1/traces")
