"""A server that stands still ends; one that works, or was stopped as a whole, does not."""

import signal
import subprocess
import sys
import time

from tests.running import ROOT, inherited_environment

SCRIPT = """
import asyncio, sys, time
from triptych.watchdog import watched

async def main():
    async with watched(2):
        print("up", flush=True)
        await asyncio.sleep(0.1)
        {doing}
    print("done", flush=True)

asyncio.run(main())
"""


def started(doing: str) -> subprocess.Popen[str]:
    script = SCRIPT.replace("{doing}", doing)
    server = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=inherited_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "up\n"
    return server


def test_a_loop_that_stands_still_ends_the_process_which_says_where_it_stood() -> None:
    server = started("time.sleep(60)")
    _, said = server.communicate(timeout=30)
    assert server.returncode == 70
    assert "in main" in said
    assert "The event loop stood still for 2 s: the process ends." in said


def test_a_loop_that_works_is_left_alone() -> None:
    server = started("await asyncio.sleep(4)")
    assert server.communicate(timeout=30) == ("done\n", "")
    assert server.returncode == 0


def test_a_process_that_is_stopped_as_a_whole_is_left_alone() -> None:
    server = started("await asyncio.sleep(5)")
    server.send_signal(signal.SIGSTOP)
    time.sleep(4)
    server.send_signal(signal.SIGCONT)
    assert server.communicate(timeout=30) == ("done\n", "")
