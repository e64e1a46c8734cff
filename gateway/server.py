"""How the gateway is served: uvicorn, within bounds."""

from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from triptych.patience import HEAD_BYTES, Patience, PatientProtocol

from .settings import Settings


def serving(settings: Settings) -> dict[str, Any]:
    """uvicorn's options for a gateway with these settings."""

    class Protocol(PatientProtocol, H11Protocol):
        patience = Patience(settings.header_timeout, settings.max_connections)

    return {
        "host": settings.gateway_host,
        "port": settings.gateway_port,
        "http": Protocol,
        "ws": "none",
        "h11_max_incomplete_event_size": HEAD_BYTES,
        "forwarded_allow_ips": settings.trusted_proxies,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": settings.stop_timeout,
    }
