"""Compiles in the background what will be asked for, most likely first."""

import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from .. import memory
from .unet import Form, Unet

NICENESS = 10
SHARE_OF_MEMORY = 0.5
"""Of what is available, the most that a call may take: others live here too."""
AGAIN_SECONDS = 600.0
"""After so long with nothing to compile, sizes that memory did not suffice for are tried again."""

logger = logging.getLogger(__name__)


class Failure(NamedTuple):
    """Why a form could not be compiled, and when, by time.monotonic()."""

    error: BaseException
    at: float


class Warming:
    """Batch sizes of the model's own image size, one after the other while each is worth it; then whatever
    other sizes requests bring, when they bring them."""

    def __init__(self, unet: Unet, device: threading.Lock, wake: Callable[[], None]) -> None:
        self._unet = unet
        self._device = device
        self._wake = wake
        self._wanted: Form | None = None
        self._something = threading.Condition()
        self._bytes_per_row = 0.0
        self._errors: dict[Form, Failure] = {}
        self.served = -math.inf
        """When a size that requests brought was last compiled, by time.monotonic()."""
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="warming", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End after what is being compiled; returns when it has."""
        with self._something:
            self._closing = True
            self._something.notify()
        self._thread.join()

    @property
    def is_free(self) -> bool:
        """Whether no form is wanted that is not compiled yet."""
        return self._wanted is None

    def want(self, form: Form) -> None:
        """Have the form's first program compiled next, if nothing else is wanted."""
        with self._something:
            if self._wanted is None:
                self._wanted = form
                self._something.notify()

    def errors(self, forms: Collection[Form]) -> dict[Form, Failure]:
        """Why those of these forms could not be compiled that could not; told once, as it may pass."""
        return {form: self._errors.pop(form) for form in forms if form in self._errors}

    def progress(self) -> tuple[int, int]:
        """How many batch sizes of the model's own image size are warm, of how many that will be."""
        return len(self._unet.warm_sizes(self._unet.native)), len(self._unet.sizes)

    def _work(self) -> None:
        if sys.platform == "linux":  # where a thread has a priority of its own: pictures go first
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        sizes = list(self._unet.sizes)
        if len(sizes) > 1:  # a single one is compiled, and there is none to compare it with
            self._outlive(lambda: self._warm(sizes))
        while not self._closing:
            self._outlive(self._go_on)

    @staticmethod
    def _outlive(work: Callable[[], None]) -> None:
        """The thread outlives a MemoryError of any line as well: without it no request's size would come."""
        try:
            work()
        except BaseException:
            logger.exception("warming failed")

    def _go_on(self) -> None:
        with self._something:
            asked = self._something.wait_for(lambda: self._wanted or self._closing, AGAIN_SECONDS)
        self._serve_wanted()
        if not asked:
            self._unet.take_back()
            self._warm(self._cold_sizes())

    def _cold_sizes(self) -> list[int]:
        """Batch sizes of the model's own image size that have gone for other sizes, or for want of memory."""
        warm = self._unet.warm_sizes(self._unet.native)
        return [rows for rows in self._unet.sizes if rows not in warm]

    def _warm(self, sizes: Sequence[int]) -> None:
        for rows in list(sizes):
            self._serve_wanted()
            if self._closing or not self._try(rows):
                break

    def _try(self, rows: int) -> bool:
        """Warm this batch size; False, and larger ones are given up too, where that is not worth it."""
        native, half, quarter = self._unet.native, rows // 2, rows // 4
        if not self._unet.ready(native) and not self._unet.has_room(native):
            return False  # a request has brought another size already, and there is room for one
        room = memory.available()
        if quarter and self._unet.is_long(native, half) and not self._unet.gains(native, half, quarter):
            return self._stop(rows, f"a row takes as long in {half} rows as in {quarter}")
        if room is not None and self._bytes_per_row * rows > SHARE_OF_MEMORY * room:
            why = f"a call would take more than half of the {room} bytes of memory left"
            return self._stop(rows, why, for_now=True)
        try:
            self._unet.compile(native, rows)
            with memory.Peak() as peak, self._device:
                self._unet.measure(native, rows)
        except Exception as error:
            why = f"it cannot be compiled or run: {error}"[:500]
            return self._stop(rows, why, for_now=memory.is_exhausted(error))
        self._bytes_per_row = max(self._bytes_per_row, peak.bytes / rows)
        self._wake()
        return True

    def _stop(self, rows: int, why: str, for_now: bool = False) -> bool:
        logger.info("no batches of %d rows or more%s: %s", rows, " for now" if for_now else "", why)
        self._unet.give_up(rows, for_now)
        return False

    def _serve_wanted(self) -> None:
        form = self._wanted
        if form is None:
            return
        try:
            with self._device:
                self._unet.make_room(form)
            self._unet.compile(form, self._unet.sizes[0])
        except BaseException as error:
            self._errors[form] = Failure(error, time.monotonic())
            logger.exception("the size %s could not be compiled", form)
        finally:
            self.served, self._wanted = time.monotonic(), None
            self._wake()
