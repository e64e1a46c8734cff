"""One stage's part of a request, over all the attempts at it: what is kept of how far it has come."""

import uuid
from dataclasses import replace
from typing import Any

from .codecs import RESUME
from .events import PreviewEvent, ProgressEvent, StateEvent
from .info import Info, announces
from .progress import Caller, Kept, Progress

EVENTS, JOB_ID, CLIENT = "events", "job_id", "client"
"""Extras of a stage that streams its steps, and that knows requests and clients by their names."""

WORTH_SECONDS = 1.0
"""Less work than this is done again sooner than it is worth events for, where nobody watches them."""


class Job:
    """What the attempts at one stage share."""

    def __init__(self, stage: str, caller: Caller) -> None:
        self.resumed_at: list[int] = []
        self._id = uuid.uuid4().hex
        self._caller = caller
        self._progress = Progress(stage, "running")
        self._model_hash: str | None = None
        self._kept = caller.watcher.kept if caller.watcher else None

    def streams(self, info: Info | None, seconds: float | None) -> bool:
        """Whether there is a use for the events of the replica that announces this, and that will take so
        many seconds, as far as that is known."""
        lasts = seconds is None or seconds >= WORTH_SECONDS
        return announces(info, EVENTS) and (self._caller.watcher is not None or (lasts and self._keeps(info)))

    def fields(self, info: Info | None, streams: bool) -> dict[str, Any]:
        """What the replica that announces this is told beside the request."""
        extras = info.extras if info else []
        said: dict[str, Any] = {}
        if JOB_ID in extras:
            said[JOB_ID] = self._id
        if CLIENT in extras and self._caller.client:
            said[CLIENT] = self._caller.client
        if streams and self._caller.watcher and self._caller.watcher.preview_every:
            said["preview_every"] = self._caller.watcher.preview_every
        if streams and self._keeps(info):
            said["state_every"] = self._caller.state_every
        self._model_hash = info.model.hash if info and info.model else None
        if self._kept and RESUME in extras and self._kept.model_hash == self._model_hash:
            said[RESUME] = self._kept.state
            self.resumed_at.append(self._kept.step)
        return said

    def begin(self) -> None:
        """An attempt begins at a stage that says no more until it is done."""
        self._caller.notice(self._progress)

    def start_over(self) -> bool:
        """The state is of no use: from the beginning, then. False where the last attempt began there."""
        if self._kept is None or not self.resumed_at:
            return False
        self._kept = None
        self.resumed_at.pop()
        return True

    def hear(self, event: str, data: str) -> None:
        """Of what the stage streams. ValueError where it makes no sense; an event of another name is none."""
        if event == "state":
            said = StateEvent.model_validate_json(data)
            self._kept = Kept(said.state, said.step, self._model_hash)
            if self._caller.watcher and self._caller.watcher.keep:
                self._caller.watcher.keep(self._kept)
        elif event == "progress" and self._caller.watcher:
            self._progress = Progress(self._progress.stage, **vars(ProgressEvent.model_validate_json(data)))
            self._caller.notice(self._progress)
        elif event == "preview" and self._caller.watcher:
            preview = PreviewEvent.model_validate_json(data)
            self._caller.notice(replace(self._progress, step=preview.step, previews=tuple(preview.images)))

    def _keeps(self, info: Info | None) -> bool:
        return announces(info, RESUME) and self._caller.state_every > 0
