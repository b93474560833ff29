"""An epoch on several devices: one process for each, which live and die together.

This module is both sides: `run_on_devices` starts the processes, ``python -m tasks.ranks`` is one.
Its standard input brings the job, and ends when the process that started it does.
"""

import json
import os
import subprocess
import sys
import time
from _thread import interrupt_main
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from tempfile import TemporaryDirectory, TemporaryFile
from threading import Thread
from typing import IO, Any

import torch
from pydantic import TypeAdapter

from model.errors import ModelInputError
from model.ranks import Ranks
from model.training import EpochResult
from storage.errors import InputError, UnavailableError, can_pass
from storage.threads import available_cores
from tasks.epoch_job import EpochJob, run_epoch

JOB = TypeAdapter(EpochJob)
SAID_EVERY_SECONDS = 0.2
GOODBYE_SECONDS = 3.0
"""How long ranks have to remove what they were writing."""


def run_on_devices(
    job: EpochJob, devices: Sequence[str], progress: Callable[[int, int], None]
) -> EpochResult:
    """Run the job as one rank on each of the devices.

    If one rank ends early, all do. Raises InputError as the rank did, UnavailableError if it was
    killed, RuntimeError for a bug.
    """
    with TemporaryDirectory() as meeting, ExitStack() as stack:
        ranks = [
            stack.enter_context(_started(job.on(device), rank, len(devices), Path(meeting) / "at"))
            for rank, device in enumerate(devices)
        ]
        try:
            return _follow(ranks, progress)
        finally:
            for process, _ in ranks:  # all at once, before waiting for any
                assert process.stdin is not None
                process.stdin.close()


@contextmanager
def _started(
    job: EpochJob, rank: int, count: int, meeting: Path
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Start a rank; when the block ends, so does the rank, soon if its input has ended before."""
    environment = dict(os.environ)
    if job.compute.device == "cpu":
        environment["OMP_NUM_THREADS"] = str(max(1, available_cores() // count))
        if sys.platform == "linux":  # else gloo asks the network for this machine's address
            environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    # -P: a folder named tasks where the user happens to be is not ours.
    command = [sys.executable, "-P", "-m", "tasks.ranks", str(rank), str(count), str(meeting)]
    with (
        TemporaryFile() as errors,
        subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the run, which ends its ranks
        ) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(JOB.dump_json(job) + b"\n")
        try:
            yield process, errors
        finally:
            try:
                process.wait(GOODBYE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _follow(
    ranks: Sequence[tuple[subprocess.Popen[bytes], IO[bytes]]],
    progress: Callable[[int, int], None],
) -> EpochResult:
    """Read what the ranks say until all have ended."""
    results: list[EpochResult] = []
    with DefaultSelector() as listening:
        for process, errors in ranks:
            assert process.stdout is not None
            listening.register(process.stdout, EVENT_READ, (process, errors))
        while listening.get_map():
            for key, _ in listening.select():
                line = key.fileobj.readline()  # type: ignore[union-attr]
                said = json.loads(line or "{}")
                if "total" in said:
                    progress(said["done"], said["total"])
                elif "result" in said:
                    results.append(EpochResult(**said["result"]))
                elif "error" in said or not line:
                    listening.unregister(key.fileobj)
                    _check(key.data, said, [process for process, _ in ranks])
    return results[0]


def _check(
    ended: tuple[subprocess.Popen[bytes], IO[bytes]],
    said: dict[str, Any],
    ranks: Sequence[subprocess.Popen[bytes]],
) -> None:
    """Raise the error of a rank that has ended, unless it ended well."""
    process, errors = ended
    status = process.wait()
    killed = [-code for rank in ranks if (code := rank.poll()) is not None and code < 0]
    if killed:  # whatever the others say comes from that
        raise UnavailableError(
            f"a training process was killed by signal {killed[0]}; is there enough memory?"
        )
    if "error" in said:
        kind = UnavailableError if said["can_pass"] else InputError
        raise kind(said["error"])
    if status != 0:
        errors.seek(0)
        told = errors.read().decode(errors="replace").strip()
        raise RuntimeError(f"a training process failed:\n{told}")


def main(rank: int, count: int, meeting: Path) -> None:
    """Be one rank among ``count``, which meet by a file."""
    job = JOB.validate_json(sys.stdin.buffer.readline())
    Thread(target=_end_with_the_run, daemon=True).start()
    next_time = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal next_time
        if rank == 0 and (time.monotonic() >= next_time or done == total):
            next_time = time.monotonic() + SAID_EVERY_SECONDS
            _say(done=done, total=total)

    device = torch.device(job.compute.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=meeting.as_uri(),
        rank=rank,
        world_size=count,
    )
    try:
        result = run_epoch(job, progress, Ranks(rank, count))
    except (InputError, ModelInputError) as error:
        _say(error=str(error), can_pass=can_pass(error))
        sys.exit(1)
    if rank == 0:
        _say(result=asdict(result))
    torch.distributed.destroy_process_group()


def _say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _end_with_the_run() -> None:
    """Wait for the end of the input, then of the work; if that does not come, end at once."""
    os.read(sys.stdin.fileno(), 1)  # past Python's buffer, whose lock would outlive the thread
    interrupt_main()
    time.sleep(GOODBYE_SECONDS / 2)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
