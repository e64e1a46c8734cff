"""`python -m training STAGE`: each stage goes on where it was; `all` runs them in order."""

from __future__ import annotations

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stage", choices=["data", "vae"])
    parser.add_argument("--minutes", type=float)
    arguments = parser.parse_args()
    if arguments.stage == "data":
        from training import data

        data.prepare()
    if arguments.stage == "vae":
        from training import vae

        vae.train(arguments.minutes or 30)


if __name__ == "__main__":
    main()
