"""Download the weights that the environment names, ahead of the first start.

`python -m triptych.download [part …]`: all parts, or those of text_encoder, diffusion, decoder and
image_encoder that are named.
"""

import argparse
import logging
import sys

from .checkpoints import CheckpointError
from .hub import DownloadError
from .selection import SelectionError
from .variants import PUBLISHED, chosen_variant
from .weights import unreported

logger = logging.getLogger(__name__)


def main() -> None:
    """Exits with 1 and a sentence if something cannot be had."""
    parser = argparse.ArgumentParser(description="Download the weights that the environment names.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PUBLISHED)}; all without")
    parts = parser.parse_args().parts or list(PUBLISHED)
    if unknown := set(parts) - set(PUBLISHED):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        download(parts)
    except (CheckpointError, DownloadError, SelectionError) as error:
        sys.exit(str(error))


def download(parts: list[str]) -> None:
    """Have the files of these parts of the chosen variant here, verified."""
    variant = chosen_variant()
    for part in parts:
        variant.parts[part].weights.fetch(part, unreported)
        logger.info("%s: the %s is here", variant.title, part)


if __name__ == "__main__":
    main()
