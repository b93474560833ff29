"""Taking turns on the machine's accelerator."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect import get_run_logger

from storage.locks import wait_lock


@contextmanager
def turn_on(device: str, run_id: int) -> Iterator[None]:
    """Have ``device`` to oneself for the block; those who wait come after, in no certain order.

    The system ends the turn of a process that dies; nothing is to renew, however long it lasts.
    """
    name = device.replace(":", "-") if ":" in device else f"{device}-0"  # cuda is cuda:0
    lock = Path(tempfile.gettempdir()) / f"samehand-{name}.lock"
    logger = get_run_logger()
    with wait_lock(lock, lambda: logger.info("Run %d waits for its turn on %s", run_id, device)):
        yield
