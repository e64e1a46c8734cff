"""Memory is watched from outside."""

import subprocess
import sys
import time

import pytest

from benchmarks.memory import INTERVAL, PeakMemory, held

HOLD = "import time; held = bytearray(b'x') * (50 * 2**20); del held; print(flush=True); time.sleep(30)"


def test_a_peak_that_is_over_is_remembered() -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE)
    with process, PeakMemory(process.pid) as peak:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(5 * INTERVAL)
        now = held(process.pid)
        process.kill()
    assert peak.resident > now["resident"] + 45
    assert peak.resident >= peak.anonymous


def test_a_process_that_has_ended_holds_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(ProcessLookupError, match="has ended"):
        held(process.pid)
