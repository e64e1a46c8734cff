"""Faults of the machine under the services: disks, names, clocks."""

import glob
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.fake_hub import fake_hub, small_model
from tests.faults.client import ask
from tests.faults.stack import FAKETIME, Stack, inside, on_small_disk, with_hosts
from tests.faults.trial import HEAL_SECONDS, MOST_SECONDS, Row, suffer
from tests.mortal import Mortal, until
from tests.running import stage_environment
from triptych.memory import EXHAUSTED

MEBIBYTE = 1 << 20
WEIGHTS = "vae/diffusion_pytorch_model.safetensors"
SHORT = re.compile(
    rf"{EXHAUSTED.pattern}|MemoryError|bad_alloc|cannot allocate memory|can't start new thread", re.IGNORECASE
)
"""As backends, Python, C++ and the system say that memory did not suffice."""


class Shortage:
    """What is seen of it, from here on, that a server had too little memory."""

    def __init__(self, server: Mortal) -> None:
        self._server = server
        self._pid = server.pid
        self._before = server.log.stat().st_size

    def told(self) -> str:
        """AssertionError where there is nothing to be seen, and so was no fault."""
        lines = self._server.log.read_bytes()[self._before :].decode().splitlines()
        words = Counter(found[0] for line in lines if (found := SHORT.search(line)))
        told = [f"{count} × {word} in its log" for word, count in words.most_common()]
        told += ["it ended"] * (self._server.pid != self._pid)
        assert told, f"memory sufficed: nothing in {self._server.log} says that it did not"
        return ", ".join(told)


def jobs_disk_full(stack: Stack) -> Row:
    path = stack.folder / "small-disk"
    with stack.another_gateway("full", on_small_disk(path, "2m"), JOBS_DIR=str(path)) as gateway:
        ballast = inside(gateway, path) / "ballast"
        return suffer(
            "the disk of the jobs is full",
            gateway,
            "diffusion",
            lambda: _fill(ballast),
            ballast.unlink,
        )


def weights_disk_full(stack: Stack) -> Row:
    """Of a decoder that has to download its weights; these are a stand-in, so it ends with having them."""
    path = stack.folder / "weights"
    own = stage_environment("decoder", MODEL="some/model", WEIGHTS_DIR=str(path))
    weights = small_model() | {WEIGHTS: bytes(2 * MEBIBYTE)}
    with fake_hub({"some/model": weights}) as hub, ExitStack() as running:
        more = {"HF_ENDPOINT": hub.url, "HF_HOME": str(stack.folder / "hub")}
        stage = Mortal("host", stack.folder / "weights.log", on_small_disk(path, "8m"), **own, **more)
        running.callback(stage.close)
        stage.start()
        ballast = inside(stage, path) / "ballast"
        until(lambda: ballast.parent.is_mount(), MOST_SECONDS)
        _fill(ballast)
        until(lambda: stage.state() == "failed", HEAL_SECONDS)
        with _instead(stack, "decoder", stage):
            answer = ask(stack.behind.url, "decoder", 1)
        ballast.unlink()
        healed = until(lambda: (inside(stage, path) / "some/model/main" / WEIGHTS).exists(), HEAL_SECONDS)
    return Row("the disk of the weights is full (well again: they are downloaded)", [answer], healed, 0, [])


@contextmanager
def _instead(stack: Stack, name: str, stage: Mortal) -> Iterator[None]:
    """Within the block the gateway behind the proxies asks this stage and not the stack's own."""
    proxy = stack.proxies[name]
    own, proxy.upstream = proxy.upstream, urlsplit(stage.url)
    try:
        yield
    finally:
        proxy.upstream = own


def _fill(file: Path) -> None:
    """Takes all that is left, to the last byte."""
    with file.open("wb", buffering=0) as ballast:
        for size in (65536, 4096, 1):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError:
                pass


def name_gone(stack: Stack) -> Row:
    hosts, name = stack.folder / "hosts", "decoder.test"
    there = f"127.0.0.1 localhost {name}\n"
    hosts.write_text(there)
    url = stack.urls["decoder"].replace("127.0.0.1", name)

    def begin() -> None:
        """Connections that are open would still lead there."""
        hosts.write_text("127.0.0.1 localhost\n")
        stack.mortal["decoder"].kill()

    with stack.another_gateway("names", with_hosts(hosts), DECODER_URL=url) as gateway:
        fault = "decoder restarted, its name not known (DNS)"
        return suffer(fault, gateway, "decoder", begin, lambda: hosts.write_text(there), 3.0)


def clock_jumps(by: str) -> Callable[[Stack], Row]:
    def run(stack: Stack) -> Row:
        clock = stack.folder / f"clock{by}"
        with stack.another_gateway(f"clock{by}", (), **_faked(clock)) as gateway:
            return suffer(
                f"the gateway's clock jumps by {by}, and is put right",
                gateway,
                "diffusion",
                lambda: _put(clock, by),
                lambda: _put(clock, "+0"),
            )

    return run


def stage_clock_jumps(name: str, by: str) -> Callable[[Stack], Row]:
    def run(stack: Stack) -> Row:
        clock = stack.folder / f"{name}-clock{by}"
        faked = stage_environment(name, **_faked(clock))
        with ExitStack() as running:
            stage = Mortal("host", stack.folder / f"{name}-clock.log", **faked)
            running.callback(stage.close)
            stage.start()
            stage.wait()
            running.enter_context(_instead(stack, name, stage))
            fault = f"the clock of {name} jumps by {by}, and is put right"
            return suffer(fault, stack.behind, name, lambda: _put(clock, by), lambda: _put(clock, "+0"))

    return run


def _put(clock: Path, by: str) -> None:
    """At once: every call for the time reads it."""
    new = clock.with_suffix(".new")
    new.write_text(by)
    new.replace(clock)


def _faked(clock: Path) -> dict[str, str]:
    """The environment of a process whose wall clock is off by what this file says, nothing at first, by
    libfaketime; the monotonic one is left alone, as the kernel does."""
    _put(clock, "+0")
    return {
        "LD_PRELOAD": glob.glob(FAKETIME)[0],
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
