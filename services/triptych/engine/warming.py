"""Compiles in the background what will be asked for, most likely first."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Collection, Sequence

from .. import memory
from .unet import Form, Unet

NICENESS = 10
SHARE_OF_MEMORY = 0.5
"""Of what is available, the most that a call may take: others live here too."""
AGAIN_SECONDS = 600.0
"""After so long with nothing to compile, sizes that memory did not suffice for are tried again."""

logger = logging.getLogger(__name__)


class Warming:
    """Batch sizes of the model's own image size, one after the other while each is worth it; then whatever
    other sizes requests bring, when they bring them."""

    def __init__(self, unet: Unet, device: threading.Lock, wake: Callable[[], None]) -> None:
        self._unet = unet
        self._device = device
        self._wake = wake
        self._wanted: list[Form] = []
        self._something = threading.Condition()
        self._bytes_per_row = 0.0
        self._errors: dict[Form, BaseException] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="warming", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End after what is being compiled; returns when it has."""
        with self._something:
            self._closing = True
            self._something.notify()
        self._thread.join()

    def want(self, form: Form) -> None:
        """Have the form's first program compiled, if nobody has asked for it yet."""
        with self._something:
            if form not in self._wanted:
                self._wanted.append(form)
                self._something.notify()

    def errors(self, forms: Collection[Form]) -> dict[Form, BaseException]:
        """Why those of these forms could not be compiled that could not; told once, as it may pass."""
        return {form: self._errors.pop(form) for form in forms if form in self._errors}

    def progress(self) -> tuple[int, int]:
        """How many batch sizes of the model's own image size are warm, of how many that will be."""
        return len(self._unet.warm_sizes(self._unet.native)), len(self._unet.sizes)

    def _work(self) -> None:
        if sys.platform == "linux":  # where a thread has a priority of its own: pictures go first
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        if len(self._unet.sizes) > 1:  # a single one is compiled, and there is none to compare it with
            self._warm(self._unet.sizes)
        while not self._closing:
            with self._something:
                asked = self._something.wait_for(lambda: self._wanted or self._closing, AGAIN_SECONDS)
            self._serve_wanted()
            if not asked:
                self._warm(self._unet.take_back())

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
        while self._wanted:
            form = self._wanted[0]
            try:
                self._unet.compile(form, self._unet.sizes[0])
            except Exception as error:
                logger.exception("the size %s could not be compiled", form)
                self._errors[form] = error
            with self._something:
                self._wanted.remove(form)
            self._wake()
