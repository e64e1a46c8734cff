"""What each command does."""

import argparse
import base64
import json
import os
from typing import Any

from rich.console import Console
from rich.table import Table

from .display import Display
from .doctor import examine
from .errors import BadUsage
from .files import check_writable, numbered, output_format, read_picture, save
from .gateway import Gateway
from .words import state

FIELDS = (
    *("prompt", "negative_prompt", "num_images", "steps", "guidance_scale", "seed", "sampler", "schedule"),
    *("size", "model", "strength", "mask_convention", "soft_mask"),
    *("guidance_start", "guidance_end", "noise", "deep_interval"),
)
NEEDLESS = {
    "/v1/txt2img": frozenset({"inpainting"}),
    "/v1/img2img": frozenset({"inpainting"}),
    "/v1/inpaint": frozenset({"diffusion", "all_in_one"}),
}
"""The stages that a route does without."""

Picture = dict[str, Any]


def run(options: argparse.Namespace) -> int:
    """Does what the command line says; the exit status. Raises ClientErrors."""
    with Gateway(options.url, options.key or os.environ.get("TRIPTYCH_KEY", "")) as gateway:
        if options.command == "doctor":
            return show_findings(gateway, options.json)
        if options.command == "stages":
            show_stages(gateway, options.json)
        else:
            make(gateway, options)
    return 0


def make(gateway: Gateway, options: argparse.Namespace) -> None:
    """Has the pictures made, writes them, and says what was done."""
    fields, files = _fields(options), _files(options)
    paths = numbered(options.out, fields.get("num_images", 1))
    for path in paths:
        check_writable(path)
    route = _route(options)
    with Display(options.quiet) as display:
        gateway.wait(NEEDLESS[route], options.wait, display.tell)
        display.tell(f"Making {options.prompt!r}")
        answer = gateway.make(route, fields, files, display.watch)
    for path, image in zip(paths, answer["images"], strict=True):
        save(path, base64.b64decode(image.pop("data")))
        image["file"] = str(path)
    if options.json:
        print(json.dumps(answer))
    else:
        _report(answer)


def _route(options: argparse.Namespace) -> str:
    if options.command == "inpaint":
        return "/v1/inpaint"
    return "/v1/img2img" if options.image else "/v1/txt2img"


def _fields(options: argparse.Namespace) -> dict[str, Any]:
    """Those that were given; the gateway knows the others."""
    if options.strength is not None and not options.image:
        raise BadUsage("--strength is for --image: without one there is nothing that could be kept.")
    given = {name: getattr(options, name, None) for name in FIELDS}
    fields = {name: value for name, value in given.items() if value is not None}
    return {**fields, "output_format": output_format(options.out)}


def _files(options: argparse.Namespace) -> dict[str, bytes]:
    paths = {name: getattr(options, name, None) for name in ("image", "mask")}
    return {name: read_picture(path) for name, path in paths.items() if path}


def _report(answer: dict[str, Any]) -> None:
    """The files, and where the time went, on standard output; warnings on standard error."""
    for image in answer["images"]:
        print(f"{image['file']}  seed {image['seed']}")
    for call in answer["stages"]:
        print(f"  {call['stage']:<13} {call['seconds']:7.2f} s  {call['replica']}")
    print(f"  {'in all':<13} {answer['seconds']:7.2f} s")
    for warning in answer["warnings"]:
        Console(stderr=True, soft_wrap=True).print(f"  {warning}", markup=False, highlight=False)


def show_stages(gateway: Gateway, as_json: bool) -> None:
    """Every stage, where it runs and how it is."""
    stages = gateway.stages()
    if as_json:
        print(json.dumps(stages))
        return
    table = Table("stage", "state", "where", "model", "", box=None, header_style="dim")
    for stage in stages:
        name = f"{stage['stage']} ({stage['model']})" if stage["model"] else stage["stage"]
        for replica in stage["replicas"]:
            table.add_row(name, state(replica), replica["url"], _model(replica), replica["error"] or "")
    Console(soft_wrap=True, markup=False, highlight=False).print(table)


def show_findings(gateway: Gateway, as_json: bool) -> int:
    """What is wrong and what to do; 1 where something is."""
    diagnosis = examine(gateway)
    if as_json:
        print(json.dumps(diagnosis.as_json()))
    elif diagnosis.findings:
        for finding in diagnosis.findings:
            print(f"{finding.what}\n  {finding.todo}")
    else:
        print(f"All is well at {gateway.url}: {diagnosis.stages} stages in {diagnosis.replicas} places.")
    return 1 if diagnosis.findings else 0


def _model(replica: dict[str, Any]) -> str:
    model = (replica["info"] or {}).get("model") or {}
    return str(model.get("name", ""))
