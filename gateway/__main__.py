"""Runs the gateway: `python -m gateway`."""

import sys

import uvicorn

from .app import create_app
from .logs import log_to_stdout
from .server import serving
from .settings import Settings, sentences


def main() -> None:
    try:
        settings = Settings()
    except ValueError as error:
        sys.exit("\n".join(["The gateway cannot start:", *sentences(error)]))
    log_to_stdout(settings.log_level, settings.log_format)
    uvicorn.run(create_app(settings), **serving(settings))


if __name__ == "__main__":
    main()
