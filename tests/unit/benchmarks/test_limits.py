"""A command can be held within a limit of memory, where the machine lets us."""

import subprocess
import sys

import pytest

from benchmarks.limits import limited


@pytest.mark.parametrize(("megabytes", "ends_well"), [(20, True), (400, False)])
def test_a_command_that_takes_more_is_killed(megabytes: int, ends_well: bool) -> None:
    with limited(200) as limit:
        if limit is None:
            pytest.skip("neither systemd-run nor control groups limit memory here")
        take = f"bytearray(b'x') * ({megabytes} * 2**20)"
        ended = subprocess.run([*limit.prefix, sys.executable, "-c", take], capture_output=True, check=False)
    assert (ended.returncode == 0) is ends_well
