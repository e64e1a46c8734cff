"""Several Docker engines on this machine, each in a network of its own, as the nodes of a swarm.

A node is an engine with a host name, a network namespace and folders of its own. The nodes' cables lead into
a switch, a bridge in a further namespace, so that no rule of this machine's own engine meets what they send.
The engine that runs here already is asked for the images and otherwise left alone.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

NETWORK = "10.77.0"
HOST = f"{NETWORK}.254"
READY_SECONDS = 60


def sh(*command: str | Path, **environment: str) -> str:
    """What the command prints; it must succeed."""
    ended = subprocess.run(
        list(map(str, command)), env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout.strip()


class Node:
    """One engine, at `address`."""

    def __init__(self, number: int, folder: Path, prefix: str) -> None:
        self.name = f"node{number}"
        self.address = f"{NETWORK}.{number}"
        self.folder = folder / str(number)
        self.folder.mkdir(parents=True)
        self.network = f"{prefix}{number}"
        self.socket = f"unix://{self.folder}/sock"
        self._process: subprocess.Popen[bytes] | None = None

    def docker(self, *arguments: str) -> str:
        return sh("docker", "--host", self.socket, *arguments)

    def start(self) -> None:
        """Returns when it answers."""
        paths = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
        options = [part for name, path in paths.items() for part in (f"--{name}", str(self.folder / path))]
        (self.folder / "daemon.json").write_text("{}")
        options += ["--config-file", str(self.folder / "daemon.json"), "--host", self.socket]
        script = f'hostname {self.name} && exec nsenter --net=/run/netns/{self.network} dockerd "$@"'
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--uts", "sh", "-c", script, "dockerd", *options], stdout=log, stderr=log
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        began = time.monotonic()
        while time.monotonic() - began < READY_SECONDS:
            asked = ["docker", "--host", self.socket, "info"]
            if subprocess.run(asked, capture_output=True).returncode == 0:
                return
            time.sleep(0.3)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        """Its containers end with it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
            self._process = None

    def share_images(self, other: "Node") -> None:
        """Have the images of another that stands still: links to its layers, which no engine ever changes."""
        for part in ("image", "overlay2"):
            (self.folder / "data").mkdir(mode=0o711, exist_ok=True)
            sh("cp", "-al", other.folder / "data" / part, self.folder / "data" / part)

    def unplug(self) -> None:
        """Nobody reaches it any more, and it nobody; what runs there runs on."""
        sh("ip", "-n", self.network, "link", "set", "eth0", "down")


@contextmanager
def networks(nodes: list[Node], prefix: str) -> Iterator[None]:
    """A cable from each node to the switch, and one from this machine."""
    switch = f"{prefix}0"
    with ExitStack() as stack:

        def namespace(name: str) -> None:
            sh("ip", "netns", "add", name)
            stack.callback(sh, "ip", "netns", "delete", name)
            sh("ip", "-n", name, "link", "set", "lo", "up")

        namespace(switch)
        sh("ip", "-n", switch, "link", "add", "switch", "type", "bridge")
        sh("ip", "-n", switch, "link", "set", "switch", "up")
        sh("ip", "link", "add", switch, "type", "veth", "peer", "name", "machine", "netns", switch)
        sh("ip", "-n", switch, "link", "set", "machine", "master", "switch", "up")
        sh("ip", "address", "add", f"{HOST}/24", "dev", switch)
        sh("ip", "link", "set", switch, "up")
        for node in nodes:
            namespace(node.network)
            plug = ("peer", "name", "eth0", "netns", node.network)
            sh("ip", "-n", switch, "link", "add", node.network, "type", "veth", *plug)
            sh("ip", "-n", switch, "link", "set", node.network, "master", "switch", "up")
            sh("ip", "-n", node.network, "address", "add", f"{node.address}/24", "dev", "eth0")
            sh("ip", "-n", node.network, "link", "set", "eth0", "up")
            sh("ip", "-n", node.network, "route", "add", "default", "via", HOST)
        yield


@contextmanager
def running_swarm(count: int, images: list[str], folder: Path) -> Iterator[list[Node]]:
    """So many nodes that have the images; the first manages the swarm."""
    prefix = f"ts{os.getpid()}-"
    nodes = [Node(number, folder, prefix) for number in range(1, count + 1)]
    first, *others = nodes
    with networks(nodes, prefix), ExitStack() as stack:
        stack.callback(_remove, folder)
        for node in nodes:
            stack.callback(node.stop)
        first.start()
        _copy(images, first)
        first.stop()
        for node in others:
            node.share_images(first)
        for node in nodes:
            node.start()
        first.docker("swarm", "init", "--advertise-addr", first.address)
        token = first.docker("swarm", "join-token", "--quiet", "worker")
        for node in others:
            node.docker("swarm", "join", "--token", token, f"{first.address}:2377")
        yield nodes


def _copy(images: list[str], node: Node) -> None:
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
        subprocess.run(
            ["docker", "--host", node.socket, "load", "--quiet"], stdin=saving.stdout, check=True, timeout=600
        )
    assert saving.returncode == 0


def _remove(folder: Path) -> None:
    """An engine leaves the names of its networks mounted."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((one for one in mounts if one.startswith(f"{folder}/")), reverse=True):
        sh("umount", mount)
    shutil.rmtree(folder)
