"""Runs the gateway: `python -m gateway`."""

import sys

import uvicorn

from .app import create_app
from .logs import log_to_stdout
from .settings import Settings, sentences

STOP_SECONDS = 5
"""What is under way may finish within this time of a stop; with the rest it stays under 8 s."""


def main() -> None:
    try:
        settings = Settings()
    except ValueError as error:
        sys.exit("\n".join(["The gateway cannot start:", *sentences(error)]))
    log_to_stdout(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.gateway_host,
        port=settings.gateway_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


if __name__ == "__main__":
    main()
