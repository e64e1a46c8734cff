"""Ends a server whose event loop stands still, so that whoever supervises it starts it again.

`Thread.start` waits without end for a thread that memory did not suffice to begin (seen under `make faults`:
the loop starts one for work that would hold it up). Then the server answers nobody, and does not end either.
"""

import asyncio
import faulthandler
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

STILL_SECONDS = 60
BEAT_SECONDS = 0.5
LOOK_SECONDS = 1.0
EXIT_STATUS = 70
"""EX_SOFTWARE of sysexits.h."""


@asynccontextmanager
async def watched(still_seconds: float = STILL_SECONDS) -> AsyncIterator[None]:
    """For the length of the block, the process ends with status 70 once the running event loop has done
    nothing for so many seconds, after what each thread was doing has gone to stderr.

    Seconds in which the whole process is stopped, or another thread holds the interpreter, do not count.
    """
    beating, over = threading.Event(), threading.Event()
    threading.Thread(target=_watch, args=(beating, over, still_seconds), name="watchdog", daemon=True).start()
    heart = asyncio.create_task(_beat(beating))
    try:
        yield
    finally:
        over.set()
        heart.cancel()


async def _beat(beating: threading.Event) -> None:
    while True:
        beating.set()
        await asyncio.sleep(BEAT_SECONDS)


def _watch(beating: threading.Event, over: threading.Event, still_seconds: float) -> None:
    still = 0.0
    while still < still_seconds:
        if over.wait(LOOK_SECONDS):
            return
        still = 0.0 if beating.is_set() else still + LOOK_SECONDS
        beating.clear()
    faulthandler.dump_traceback(sys.stderr)
    os.write(sys.stderr.fileno(), b"The event loop stood still for %d s: the process ends.\n" % still)
    os._exit(EXIT_STATUS)
