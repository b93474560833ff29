"""Progress of long steps: a bar in the terminal, an artifact in Prefect's UI."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import TaskRunContext

from tasks.support.artifacts import if_server_answers
from tasks.support.bar import terminal_bar

SECONDS = 5.0
"""How long a step must last to get an artifact, and how often that is updated."""
PATIENCE_SECONDS = 60.0
"""How long a server that did not answer is left alone."""


class ProgressArtifact:
    """A progress artifact of the current run, created once the step has lasted a while."""

    def __init__(self, title: str) -> None:
        """Titles that differ only by a number share a key, which collects their history."""
        self._title = title
        self._key = re.sub("[^a-z]+", "-", f"progress {title}".lower()).strip("-")
        self._id: UUID | None = None
        is_in_run = TaskRunContext.get() is not None  # else there is nowhere to show it
        self._next = time.monotonic() + SECONDS if is_in_run else inf

    def show(self, done: int, total: int) -> None:
        """Update it, if it is time for that or all is done."""
        is_last = done >= total and self._id is not None
        if total == 0 or not (is_last or time.monotonic() >= self._next):
            return
        self._next = time.monotonic() + PATIENCE_SECONDS
        percent = 100 * done / total
        with if_server_answers():
            if self._id is None:
                # By its type it may return a coroutine, but it does so only inside one.
                self._id = cast(UUID, create_progress_artifact(percent, self._key, self._title))
            else:
                update_progress_artifact(self._id, percent)
            self._next = time.monotonic() + SECONDS


@contextmanager
def progress_bar(title: str, unit: str = "image") -> Iterator[Callable[[int, int], None]]:
    """Yield a function to call with (done, total), which shows it in both places."""
    artifact = ProgressArtifact(title)
    with terminal_bar(title, unit) as show_bar:

        def show(done: int, total: int) -> None:
            show_bar(done, total)
            artifact.show(done, total)

        yield show
