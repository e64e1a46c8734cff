"""How long hypothesis looks: briefly and always at the same, or, with --hypothesis-profile=long, for long."""

import pytest
from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile(
    "brief", derandomize=True, database=None, deadline=None, max_examples=40, suppress_health_check=SLOW
)
settings.register_profile("long", deadline=None, max_examples=2000, suppress_health_check=SLOW)


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("brief")
