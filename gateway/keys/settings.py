"""The settings of keys: who may use the gateway, from where, and how much."""

import ipaddress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, model_validator

from .key import Key, Limits, read_keys

NONE = "none"
HOW_TO_MAKE_ONE = (
    "make a key with `python -m gateway.keys new NAME` (with containers: `docker compose run --rm --no-deps "
    "gateway python -m gateway.keys new NAME`) and set GATEWAY_KEYS to the line that it prints"
)


class KeySettings(BaseModel):
    """A gateway that others than this machine can reach has a key, or is told that it needs none."""

    gateway_keys: str = Field(
        "",
        description="Who may use the gateway: lines of `python -m gateway.keys new NAME`, with `;` between "
        "them. Needed where others than this machine can reach it; `none`: they may do so without a key.",
    )
    gateway_keys_file: str = Field(
        "", description="File of such lines, read anew whenever it changes; counts beside `GATEWAY_KEYS`."
    )
    gateway_publish: str = Field(
        "",
        description="In a container, the address and port of the host on which it is published "
        "(`127.0.0.1:8000`): who can reach that can reach the gateway, wherever it listens inside.",
    )
    key_rate: int = Field(
        60, ge=1, le=999_999, description="Requests for pictures a minute of a key whose line says no `rate`."
    )
    key_concurrency: int = Field(
        4, ge=1, le=999_999, description="Such requests at a time of a key whose line says no `concurrency`."
    )
    key_jobs: int = Field(
        50, ge=1, le=999_999, description="Jobs that wait or run of a key whose line says no `jobs`."
    )
    metrics_open: bool = Field(
        False, description="`true`: `/metrics` needs no key, for a network of one's own."
    )

    @model_validator(mode="after")
    def _has_keys_where_others_reach_it(self) -> Self:
        open_to_all = self.gateway_keys.strip() == NONE
        if open_to_all and self.gateway_keys_file:
            raise ValueError(f"Set GATEWAY_KEYS to {NONE}, or GATEWAY_KEYS_FILE, not both.")
        if open_to_all or self.listed_keys():
            return self
        if self.needs_keys:
            variable = "GATEWAY_KEYS_FILE" if self.gateway_keys_file else "GATEWAY_KEYS"
            raise ValueError(f"{variable} must hold a key, and holds none: {HOW_TO_MAKE_ONE}.")
        host, variable = self._reached_at()
        if not _is_loopback(host):
            raise ValueError(
                f"{variable} lets others than this machine reach the gateway, so it needs a key: "
                f"{HOW_TO_MAKE_ONE}; GATEWAY_KEYS={NONE} lets them in without."
            )
        return self

    @property
    def needs_keys(self) -> bool:
        """Whether a request must have one."""
        return bool(self.gateway_keys_file) or self.gateway_keys.strip() not in ("", NONE)

    def listed_keys(self) -> tuple[Key, ...]:
        """Those of the variable and of the file, as it is now. ValueError with a sentence."""
        defaults = Limits(self.key_rate, self.key_concurrency, self.key_jobs)
        named = "" if self.gateway_keys.strip() == NONE else self.gateway_keys
        filed = _read_file(self.gateway_keys_file) if self.gateway_keys_file else ""
        return (
            *read_keys(named, "GATEWAY_KEYS", defaults),
            *read_keys(filed, "GATEWAY_KEYS_FILE", defaults),
        )

    def _reached_at(self) -> tuple[str, str]:
        """The host's address, and the variable that says so."""
        if self.gateway_publish:
            return self.gateway_publish.rpartition(":")[0].strip("[]"), "GATEWAY_PUBLISH"
        return str(getattr(self, "gateway_host", "127.0.0.1")), "GATEWAY_HOST"


def _read_file(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"GATEWAY_KEYS_FILE must name a readable text file; got {path}: {error}") from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
