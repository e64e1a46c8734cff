"""The command line, as argparse reads it."""

import argparse
import os
from pathlib import Path

from . import __version__

DEFAULT_URL = "http://127.0.0.1:8000"
EXIT_STATUS = (
    "exit status: 0 done; 1 the gateway refused the request; 2 the command line is wrong; 3 no gateway "
    "answers, or it could not do it; 130 interrupted"
)
MASKS = ("white-is-repaint", "transparent-is-repaint", "nonzero-is-keep")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="triptych", description="Makes pictures with a Triptych gateway.", epilog=EXIT_STATUS
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_generate(commands)
    _add_inpaint(commands)
    stages = commands.add_parser("stages", help="show every stage, where it runs and how it is")
    _add_common(stages)
    doctor = commands.add_parser(
        "doctor",
        help="say what is wrong with a running stack, and what to do",
        epilog="exit status: 0 nothing is wrong; 1 something is; 2 no gateway answers",
    )
    _add_common(doctor)
    return parser


def _add_generate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("generate", help="make a picture of a prompt", epilog=EXIT_STATUS)
    _add_picture(parser)
    parser.add_argument("--image", type=Path, help="a picture to begin with: image to image")
    parser.add_argument("--strength", type=float, help="how much of it may change, 0 to 1")


def _add_inpaint(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("inpaint", help="repaint a part of a picture", epilog=EXIT_STATUS)
    _add_picture(parser)
    parser.add_argument("--image", type=Path, required=True, help="the picture")
    parser.add_argument("--mask", type=Path, required=True, help="of the picture's size; white is repainted")
    parser.add_argument("--mask-convention", choices=MASKS, help=f"how the mask is meant ({MASKS[0]})")
    parser.add_argument("--soft-mask", action="store_true", default=None, help="greys change by so much")
    parser.add_argument("--strength", type=float, help="how much of the part may change, 0 to 1")


def _add_picture(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prompt", help="what the picture shows")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="the file to write: .png, .webp or .jpg"
    )
    parser.add_argument("--negative-prompt", help="what the picture is led away from")
    parser.add_argument("--steps", type=int, help="denoising steps")
    parser.add_argument("--guidance-scale", type=float, help="how closely to follow the prompt")
    parser.add_argument("--size", help="WIDTHxHEIGHT, where the model has more than one size")
    parser.add_argument("--seed", type=int, help="the same seed gives the same picture")
    parser.add_argument("--sampler", help="such as euler or dpmpp_2m")
    parser.add_argument("--schedule", help="such as karras")
    parser.add_argument(
        "--guidance-start", type=float, help="part of the steps, 0 to 1, before guidance begins"
    )
    parser.add_argument("--guidance-end", type=float, help="part of the steps, 0 to 1, after which it ends")
    parser.add_argument("--noise", help="torch-cpu draws a seed's noise as diffusers does")
    parser.add_argument("--deep-interval", type=int, help="run all of the UNet in one step of so many")
    parser.add_argument("--model", help="a model beside the standard one")
    parser.add_argument("-n", "--num-images", type=int, help="how many; they are numbered: apple-1.png, …")
    parser.add_argument(
        "--wait", type=float, default=300, help="seconds to wait for the stages (%(default)s)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    url = os.environ.get("TRIPTYCH_URL") or DEFAULT_URL
    parser.add_argument("--url", default=url, help="the gateway; else TRIPTYCH_URL (%(default)s)")
    # Not its default, which the help would show.
    parser.add_argument("--key", help="the key of a gateway that asks for one; better in TRIPTYCH_KEY")
    parser.add_argument("--json", action="store_true", help="say it as JSON on standard output")
