"""Faults of the machine under the services: disks, names, clocks."""

import glob
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from tests.fake_hub import fake_hub, small_model
from tests.faults.client import ask
from tests.faults.stack import FAKETIME, Stack, inside, on_small_disk, with_hosts
from tests.faults.trial import HEAL_SECONDS, MOST_SECONDS, Row, suffer
from tests.mortal import Mortal, until
from tests.running import stage_environment

MEBIBYTE = 1 << 20
WEIGHTS = "vae/diffusion_pytorch_model.safetensors"


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
    path, proxy = stack.folder / "weights", stack.proxies["decoder"]
    own = stage_environment("decoder", MODEL="some/model", WEIGHTS_DIR=str(path))
    weights = small_model() | {WEIGHTS: bytes(2 * MEBIBYTE)}
    with fake_hub({"some/model": weights}) as hub, ExitStack() as running:
        more = {"HF_ENDPOINT": hub.url, "HF_HOME": str(stack.folder / "hub")}
        stage = Mortal("host", stack.folder / "weights.log", on_small_disk(path, "8m"), **own, **more)
        running.callback(setattr, proxy, "upstream", proxy.upstream)
        running.callback(stage.close)
        stage.start()
        ballast = inside(stage, path) / "ballast"
        until(lambda: ballast.parent.is_mount(), MOST_SECONDS)
        _fill(ballast)
        until(lambda: stage.state() == "failed", HEAL_SECONDS)
        proxy.upstream = urlsplit(stage.url)
        answer = ask(stack.behind.url, "decoder", 1)
        ballast.unlink()
        healed = until(lambda: (inside(stage, path) / "some/model/main" / WEIGHTS).exists(), HEAL_SECONDS)
    return Row("the disk of the weights is full (well again: they are downloaded)", [answer], healed, 0, [])


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
    """The wall clock, by libfaketime; the monotonic one is left alone, as the kernel does."""

    def run(stack: Stack) -> Row:
        clock = stack.folder / f"clock{by}"
        clock.write_text("+0")
        faked = {
            "LD_PRELOAD": glob.glob(FAKETIME)[0],
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        with stack.another_gateway(f"clock{by}", (), **faked) as gateway:
            return suffer(
                f"the gateway's clock jumps by {by}",
                gateway,
                "diffusion",
                lambda: clock.write_text(by),
            )

    return run
