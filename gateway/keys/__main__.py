"""`python -m gateway.keys new NAME` makes a key.

The key is shown once, and kept nowhere; its line, which is no secret, goes into GATEWAY_KEYS or into the
file that GATEWAY_KEYS_FILE names. Who removes the line removes the key.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .key import NAME, line_of, new_token


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    token = new_token()
    line = line_of(options.name, token, rate=options.rate, concurrency=options.concurrency, jobs=options.jobs)
    if options.file:
        try:
            _append(options.file, line)
        except OSError as error:
            print(f"--file must name a file to write to; got {options.file}: {error}", file=sys.stderr)
            return 2
        print(f"Its line was added to {options.file}. The key, which is shown this once:", file=sys.stderr)
        print(token)
    else:
        print(f"The key, which is shown this once:\n  {token}")
        print(f"Its line, for GATEWAY_KEYS or the file that GATEWAY_KEYS_FILE names:\n  {line}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway.keys", description="Makes keys of the gateway.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    new = commands.add_parser("new", help="make a key")
    new.add_argument("name", type=_name, help="whose it is: 1 to 32 letters, digits, _ and -")
    new.add_argument("--rate", type=_count, help="requests for pictures a minute; else KEY_RATE")
    new.add_argument("--concurrency", type=_count, help="such requests at a time; else KEY_CONCURRENCY")
    new.add_argument("--jobs", type=_count, help="jobs that wait or run; else KEY_JOBS")
    file = os.environ.get("GATEWAY_KEYS_FILE") or None
    new.add_argument("--file", type=Path, default=file, help="add its line there; else GATEWAY_KEYS_FILE")
    return parser


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"must be 1 to 32 letters, digits, _ and -; got {text!r}")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 999_999):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 999999; got {text!r}")
    return int(text)


def _append(path: Path, line: str) -> None:
    """On a line of its own, whatever the file ends with."""
    before = path.read_text("utf-8") if path.exists() else ""
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if before and not before.endswith("\n") else "") + line + "\n")


if __name__ == "__main__":
    sys.exit(main())
