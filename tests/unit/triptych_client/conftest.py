"""Real gateways in front of fake stages, as the gateway's own tests have them."""

from tests.unit.gateway.conftest import (
    clean_environment,
    fakes,
    gateway,
    lasting_gateway,
    served_fakes,
    start_gateway,
    urls,
)

__all__ = [
    "clean_environment",
    "fakes",
    "gateway",
    "lasting_gateway",
    "served_fakes",
    "start_gateway",
    "urls",
]
