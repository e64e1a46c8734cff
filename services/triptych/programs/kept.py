"""OpenVINO graphs kept on the disk, so that a later start needs neither Keras nor the checkpoint.

A graph is a folder of WEIGHTS_DIR/programs: OpenVINO's own graph.xml and graph.bin, in which the large
weights are inputs, and weights.bin, which has these one after the other. They are mapped, not read.
"""

import logging
import math
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from filelock import FileLock

from .layout import Array

logger = logging.getLogger(__name__)

GRAPH, WEIGHTS = "graph.xml", "weights.bin"
PREFIX = "weight"
LARGE = 2**16
"""Bytes from which a weight is kept apart: OpenVINO holds what is in its own file in memory."""
ALIGNMENT = 64
WORTH_KEEPING = 256 * 2**20
"""Bytes of weights; a smaller model is built as fast as it is read."""
MAX_BYTES = 8 * 2**30
"""Of all graphs in the folder; those that were used longest ago go first."""
ROOM_LEFT = 2 * 2**30
CHUNK = 64 * 2**20


def load(folder: Path) -> Any:
    """The graph that is kept there, an ov.Model over mapped weights. One that cannot be read goes: None."""
    try:
        graph = ov.Core().read_model(folder / GRAPH)
        _put_in(graph, np.memmap(folder / WEIGHTS, np.uint8, "c"))
        os.utime(folder)
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        logger.warning("the graph kept in %s cannot be used, and is made anew: %s", folder.name, error)
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return graph


def keep_in_background(graph: Any, folder: Path) -> None:
    """Have a later start find the graph there, if it is large and the disk has room; returns at once."""
    if sum(constant.get_byte_size() for constant in _constants(graph)) >= WORTH_KEEPING:
        threading.Thread(target=_keep, args=(graph, folder), name="keep", daemon=True).start()


def _keep(graph: Any, folder: Path) -> None:
    began = time.monotonic()
    parent = folder.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with FileLock(parent / ".lock"):
            # Nobody else writes now: what is unfinished was left behind by a process that was ended.
            for unfinished in parent.glob("*.partial"):
                shutil.rmtree(unfinished)
            size = sum(constant.get_byte_size() for constant in _constants(graph))
            if folder.is_dir() or shutil.disk_usage(parent).free < size + ROOM_LEFT:
                return
            partial = folder.with_suffix(".partial")
            partial.mkdir()
            _write(graph, partial)
            partial.rename(folder)
            _make_room(parent, folder)
    except OSError as error:
        logger.warning("the graph is not kept for later starts: %s", error)
        return
    logger.info("the graph is kept for later starts (%.1f s)", time.monotonic() - began)


def _write(graph: Any, folder: Path) -> None:
    without = graph.clone()
    constants = _constants(without)
    with (folder / WEIGHTS).open("wb") as file:
        for number, constant in enumerate(constants):
            _append(file, constant.data)
            parameter = ops.parameter(constant.shape, constant.get_element_type())
            parameter.set_friendly_name(f"{PREFIX}{number}")
            constant.output(0).replace(parameter.output(0))
            without.add_parameters([parameter])
        file.flush()
        os.fsync(file.fileno())
    ov.save_model(without, folder / GRAPH, compress_to_fp16=False)


def _append(file: Any, array: Array) -> None:
    content = array.reshape(-1).view(np.uint8)
    for start in range(0, content.size, CHUNK):
        file.write(content[start : start + CHUNK])
    file.write(bytes(_padding(content.size)))


def _put_in(graph: Any, stored: Array) -> None:
    """Give the graph its weights: views of `stored` in the place of the inputs that stand for them."""
    start = 0
    inputs = {one.friendly_name: one for one in graph.get_parameters()}
    for number in range(sum(name.startswith(PREFIX) for name in inputs)):
        parameter = inputs[f"{PREFIX}{number}"]
        dtype, shape = parameter.get_element_type().to_dtype(), list(parameter.shape)
        size = math.prod(shape) * np.dtype(dtype).itemsize
        view = stored[start : start + size].view(dtype).reshape(shape)
        parameter.output(0).replace(ops.constant(view, shared_memory=True).output(0))
        graph.remove_parameter(parameter)
        start += size + _padding(size)
    if start != stored.size:
        raise ValueError(f"{WEIGHTS} has {stored.size} bytes, not {start}")


def _constants(graph: Any) -> list[Any]:
    nodes = graph.get_ordered_ops()
    return [node for node in nodes if node.get_type_name() == "Constant" and node.get_byte_size() >= LARGE]


def _padding(size: int) -> int:
    return -size % ALIGNMENT


def _make_room(parent: Path, newest: Path) -> None:
    """Remove the graphs used longest ago until the others fit; who has one mapped keeps its pages."""
    left = MAX_BYTES
    for folder in sorted((one for one in parent.iterdir() if one.is_dir()), key=_last_use, reverse=True):
        left -= sum(file.stat().st_size for file in folder.iterdir())
        if left < 0 and folder != newest:
            shutil.rmtree(folder, ignore_errors=True)


def _last_use(folder: Path) -> float:
    return folder.stat().st_mtime
