"""A real stack whose parts can be hurt one by one."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.proxy import Proxy, misbehaving
from tests.mortal import Mortal
from tests.running import stage_environment

STAGES = ("text_encoder", "diffusion", "inpainting", "decoder")
STAGE_TIMEOUT = 8
"""Seconds, so that what hangs is not waited for as long as by default."""
SETTINGS = {"STAGE_TIMEOUT": str(STAGE_TIMEOUT)}
FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"


@dataclass(frozen=True)
class Stack:
    """A gateway that asks the stages themselves, and one that asks them through proxies that misbehave.

    `mortal` are those of the stages that may be killed and stopped.
    """

    folder: Path
    urls: Mapping[str, str]
    mortal: Mapping[str, Mortal]
    proxies: Mapping[str, Proxy]
    gateway: Mortal
    behind: Mortal

    @contextmanager
    def another_gateway(
        self, name: str, prefix: tuple[str, ...] = (), **environment: str
    ) -> Iterator[Mortal]:
        """Before the same stages, with an environment and jobs of its own."""
        with gateway(self.folder, name, self.urls, prefix, **environment) as one:
            yield one


@contextmanager
def whole_stack(folder: Path, shared: Callable[[str], str], *mortal: str) -> Iterator[Stack]:
    """The stages that are named `mortal` are this stack's own; `shared` gives the addresses of others."""
    with ExitStack() as running:
        own = {name: _stage(folder, name) for name in mortal}
        for stage in own.values():
            running.callback(stage.close)
            stage.start()
        urls = {name: own[name].url if name in own else shared(name) for name in STAGES}
        proxies = {name: running.enter_context(misbehaving(url)) for name, url in urls.items()}
        for stage in own.values():
            stage.wait()
            stage.supervise()
        direct = running.enter_context(gateway(folder, "gateway", urls))
        through = {name: proxy.url for name, proxy in proxies.items()}
        behind = running.enter_context(gateway(folder, "behind", through))
        yield Stack(folder, urls, own, proxies, direct, behind)


@contextmanager
def gateway(
    folder: Path, name: str, urls: Mapping[str, str], prefix: tuple[str, ...] = (), **environment: str
) -> Iterator[Mortal]:
    """One with these stages, ready, supervised."""
    stages = {f"{stage.upper()}_URL": url for stage, url in urls.items()}
    own = {"GATEWAY_PORT": "{port}", "JOBS_DIR": str(folder / f"{name}-jobs"), **SETTINGS}
    one = Mortal("gateway", folder / f"{name}.log", prefix, **{**stages, **own, **environment})
    try:
        one.start()
        one.wait()
        one.supervise()
        yield one
    finally:
        one.close()


def _stage(folder: Path, name: str) -> Mortal:
    return Mortal("host", folder / f"{name}.log", **stage_environment(name))


def may_mount() -> bool:
    """Whether a mount namespace can be had here, as containers often forbid."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


def on_small_disk(path: Path, size: str) -> tuple[str, ...]:
    """The words before a command whose `path` is a disk of this size, in memory, and in its sight alone."""
    path.mkdir(parents=True, exist_ok=True)
    mount = f'mount -t tmpfs -o size={size} tmpfs "$0" && exec "$@"'
    return "unshare", "-rm", "sh", "-c", mount, str(path)


def with_hosts(path: Path) -> tuple[str, ...]:
    """The words before a command for which this file is /etc/hosts."""
    return "unshare", "-rm", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(path)


def inside(server: Mortal, path: Path) -> Path:
    """The path as the server sees it."""
    return Path(f"/proc/{server.pid}/root{path}")


def limit_memory(server: Mortal, spare: int | None) -> None:
    """The server may take so many more bytes of address space than it has; None: as many as it likes. One
    that has ended meanwhile has no limit when it is started again."""
    with suppress(ProcessLookupError, FileNotFoundError):
        _, most = resource.prlimit(server.pid, resource.RLIMIT_AS)
        pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[0])
        soft = most if spare is None else pages * os.sysconf("SC_PAGE_SIZE") + spare
        resource.prlimit(server.pid, resource.RLIMIT_AS, (soft, most))
