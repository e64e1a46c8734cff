"""`STAGE=diffusion PORT=8002 python -m host` serves one stage until SIGTERM or SIGINT."""

import logging
import os
import sys

from pydantic import ValidationError

from .logs import set_up_logs
from .server import Server
from .settings import Settings


def main() -> None:
    """Serve the stage that the environment names; exit status 2 if the environment is not in order."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"{name}: {problem['msg']}" if name else problem["msg"], file=sys.stderr)
        sys.exit(2)
    set_up_logs(settings.stage, settings.log_level, settings.log_format)
    if settings.is_exposed:
        logging.getLogger(__name__).warning(
            "HOST=%s lets whoever can reach this address use the stage: keep it in a network of its own, or "
            "set STAGE_SECRET",
            settings.host,
        )
    Server(settings).run()
    logging.shutdown()
    # Not sys.exit: the handler's thread may be deep in native code, and ending under it can hang or crash.
    os._exit(0)


if __name__ == "__main__":
    main()
