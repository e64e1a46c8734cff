"""`triptych`, or `python -m triptych_client`."""

import json
import sys
from collections.abc import Sequence

from .arguments import make_parser
from .commands import run
from .errors import INTERRUPTED, ClientError


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status. What went wrong is said on standard error, with --json also as JSON."""
    options = make_parser().parse_args(arguments)
    try:
        return run(options)
    except ClientError as error:
        if options.json:
            print(json.dumps({"error": {**error.details, "message": str(error), "status": error.status}}))
        print(error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("Stopped; the gateway stops working on the picture too.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
