"""A Dask cluster to test with: a scheduler and workers, as processes that come and go."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL
from uuid import uuid4

from tests.ports import free_port

Process = subprocess.Popen[bytes]
ENDING = 10  # seconds that a worker may take to notice that its scheduler is gone
TTL = 10  # seconds until a worker that hangs is given up; Dask's own default is five minutes


@dataclass
class Cluster:
    """A scheduler, and workers of one thread each."""

    host: str
    port: int
    folder: Path
    scheduler: Process
    workers: list[Process] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://{self.host}:{self.port}"

    def start_worker(self, environment: dict[str, str], *before: str) -> Process:
        """Start a worker; ``before`` is a command that runs it."""
        folder = str(self.folder)
        own = ("--nthreads", "1", "--no-nanny", "--local-directory", folder)
        worker = _started(before, "worker", (self.address, *own), environment)
        self.workers.append(worker)
        return worker

    def restart(self) -> None:
        """Kill the scheduler, which ends its workers, and start as many again."""
        n_workers = len(self.workers)
        kill(self.scheduler)
        for worker in self.workers:
            with suppress(subprocess.TimeoutExpired):  # it has not begun to work, or hangs
                worker.wait(ENDING)
            kill(worker)
        self.scheduler = _scheduler(self.host, self.port)
        self.complete(n_workers)

    def complete(self, n_workers: int) -> None:
        """Start workers until so many run, as a service manager would."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < n_workers:
            self.start_worker(dict(os.environ))


@contextmanager
def cluster(folder: Path, n_workers: int = 0, host: str = "127.0.0.1") -> Iterator[Cluster]:
    """A cluster that ends with the block, whatever became of it."""
    port = free_port()
    made = Cluster(host, port, folder, _scheduler(host, port))
    try:
        made.complete(n_workers)
        yield made
    finally:
        for process in (*made.workers, made.scheduler):
            kill(process)


def kill(process: Process) -> None:
    """End a process with all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def on_a_machine_with(disk: str, at: Path) -> tuple[str, ...] | None:
    """Return the command before another that has a disk at a path; None where none can.

    ``disk`` are options of `mount`, which happens in a namespace of the process's own.
    """
    if shutil.which("unshare") is None:
        return None
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    mount = f"mount {disk} '{at}'"
    before = ("unshare", *user, "--mount", "sh", "-c")
    allowed = subprocess.run([*before, mount], stderr=DEVNULL, check=False).returncode == 0
    return (*before, f'{mount} && exec "$@"', "sh") if allowed else None


@dataclass(frozen=True)
class OtherMachine:
    """A machine that reaches this one by one address only: a network namespace."""

    reaches: str
    before: tuple[str, ...]  # the command that runs another one there


@contextmanager
def other_machine() -> Iterator[OtherMachine | None]:
    """A machine that is gone after the block; None where none can be made."""
    name = f"samehand{uuid4().hex[:6]}"
    ours, theirs = "198.18.77.1", "198.18.77.2"  # of a network kept for tests
    commands = (
        f"netns add {name}",
        f"link add {name} type veth peer name eth1 netns {name}",
        f"addr add {ours}/30 dev {name}",
        f"link set {name} up",
        f"-n {name} addr add {theirs}/30 dev eth1",
        f"-n {name} link set eth1 up",
        f"-n {name} link set lo up",
    )
    is_made = shutil.which("ip") is not None and all(_ip(command) for command in commands)
    try:
        yield OtherMachine(ours, ("ip", "netns", "exec", name)) if is_made else None
    finally:
        if shutil.which("ip") is not None:
            _ip(f"netns del {name}")  # also one that was made in part


def _ip(command: str) -> bool:
    return subprocess.run(["ip", *command.split()], stderr=DEVNULL, check=False).returncode == 0


def _scheduler(host: str, port: int) -> Process:
    environment = dict(os.environ) | {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{TTL}s"}
    return _started((), "scheduler", ("--host", host, "--port", str(port)), environment)


def _started(
    before: Sequence[str], kind: str, arguments: Sequence[str], environment: dict[str, str]
) -> Process:
    module = f"distributed.cli.dask_{kind}"
    return subprocess.Popen(
        [*before, sys.executable, "-m", module, *arguments, "--no-dashboard"],
        env=environment,
        stdout=DEVNULL,
        stderr=DEVNULL,
        start_new_session=True,
    )
