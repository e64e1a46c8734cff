"""How a job is done: read as its route would read it, and given to the pipeline."""

import asyncio
from dataclasses import replace

from ...jobs.record import Record
from ...jobs.work import Craft, Watch
from ...requests import GenerateResult
from ...runtime import Runtime
from ..native import read_given
from ..rendering import render_failure
from ..unread import failure_data
from .orders import read_order


def make_craft(runtime: Runtime) -> Craft:
    """Of this gateway."""

    async def perform(record: Record, request: bytes, watch: Watch) -> GenerateResult:
        body = await asyncio.to_thread(read_order, record, request)
        given = await read_given(body, runtime.settings)
        asked = replace(body.to_request(record.client, given), seed_was_drawn=record.drawn)
        return await runtime.pipeline.generate(asked, watch.watcher(body.preview_every))

    return Craft(perform, explain, runtime.settings.restart_timeout)


def explain(error: Exception, id: str) -> str:
    """The error's answer in JSON, with its status."""
    return failure_data(render_failure(error, id))
