"""All the faults."""

import glob
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

from tests.faults.client import ask, flood
from tests.faults.machine import (
    Shortage,
    clock_jumps,
    jobs_disk_full,
    name_gone,
    stage_clock_jumps,
    weights_disk_full,
)
from tests.faults.proxy import Fault
from tests.faults.stack import (
    FAKETIME,
    STAGE_TIMEOUT,
    STAGES,
    Stack,
    limit_memory,
    may_mount,
)
from tests.faults.trial import Case, Row, suffer

HANGS_SECONDS = STAGE_TIMEOUT + 3.0
MUCH = 16
"""Pictures at once, which take more memory than was taken before."""


def killed(stage: str) -> Case:
    def run(stack: Stack) -> Row:
        victim = stack.mortal[stage]
        return suffer(f"{stage} killed (kill -9)", stack.gateway, stage, victim.kill)

    return Case(f"{stage}-killed", run, quick=stage == "decoder")


def stopped(stage: str) -> Case:
    def run(stack: Stack) -> Row:
        victim = stack.mortal[stage]
        return suffer(
            f"{stage} stopped (SIGSTOP) for {HANGS_SECONDS:g} s",
            stack.gateway,
            stage,
            lambda: victim.signal(signal.SIGSTOP),
            lambda: victim.signal(signal.SIGCONT),
            HANGS_SECONDS,
        )

    return Case(f"{stage}-stopped", run)


def out_of_memory(stage: str) -> Case:
    """The address space of the running process is limited (RLIMIT_AS): a machine without memory would take
    the tests with it. The kernel's own answer to that is kill -9, which is a row of its own. What the process
    has freed and not given back it may still use; so it is sent more than that is."""

    def run(stack: Stack) -> Row:
        victim, large = stack.mortal[stage], []
        seen = Shortage(victim)

        def begin() -> None:
            limit_memory(victim, 0)
            with flood(victim.url):
                large.append(ask(stack.gateway.url, stage, 3, num_images=MUCH))

        fault = f"{stage} out of memory (RLIMIT_AS), and much asked of it"
        row = suffer(fault, stack.gateway, stage, begin, lambda: limit_memory(victim, None))
        return replace(row, fault=f"{fault}: {seen.told()}", answers=[*row.answers, *large])

    return Case(f"{stage}-out-of-memory", run, quick=stage == "decoder")


def on_the_wire(stage: str, fault: Fault) -> Case:
    def run(stack: Stack) -> Row:
        proxy = stack.proxies[stage]

        def begin() -> None:
            proxy.mended.clear()
            proxy.fault = fault

        hangs = fault is Fault.SILENT
        return suffer(
            f"{stage}: {fault.value}",
            stack.behind,
            stage,
            begin,
            proxy.mend,
            HANGS_SECONDS if hangs else 0.5,
        )

    quick = (stage, fault) in QUICK_FAULTS
    return Case(f"{stage}-{fault.name.lower()}", run, quick=quick)


QUICK_FAULTS = {
    ("text_encoder", Fault.GARBAGE),
    ("text_encoder", Fault.RESET),
    ("diffusion", Fault.CUT),
    ("decoder", Fault.SHAPE),
    ("decoder", Fault.PAGE),
    ("inpainting", Fault.NOISE),
}
FAULTS_ON_THE_WIRE = [fault for fault in Fault if fault is not Fault.NONE]


def gateway_killed(stack: Stack) -> Row:
    return suffer("gateway killed (kill -9)", stack.gateway, "diffusion", stack.gateway.kill)


def rolling_restart(stack: Stack) -> Row:
    """One service after another is told to stop, and comes back, before the next."""

    def restart() -> None:
        for server in (*stack.mortal.values(), stack.gateway):
            server.terminate()
            time.sleep(1)
            server.wait()

    fault = "every service restarted, one after another"
    return suffer(fault, stack.gateway, "diffusion", restart)


def cases() -> Iterator[Case]:
    """All of them."""
    yield Case("gateway-killed", gateway_killed, quick=True)
    yield Case("rolling-restart", rolling_restart)
    mounts = "" if may_mount() else "a mount namespace (unshare -rm)"
    yield Case("jobs-disk-full", jobs_disk_full, quick=True, needs=mounts)
    yield Case("name-gone", name_gone, needs=mounts)
    yield Case("weights-disk-full", weights_disk_full, needs=mounts)
    library = "" if glob.glob(FAKETIME) else "libfaketime (Debian: apt install libfaketime)"
    for by in ("+23h", "-2d"):
        yield Case(f"clock{by}", clock_jumps(by), needs=library)
        yield Case(f"diffusion-clock{by}", stage_clock_jumps("diffusion", by), needs=library)
    for stage in STAGES:
        yield killed(stage)
        yield stopped(stage)
        yield out_of_memory(stage)
        for fault in FAULTS_ON_THE_WIRE:
            yield on_the_wire(stage, fault)
