"""What a run prints: which lines of Prefect's log, and what if nobody reads them any more."""

import logging
from collections.abc import Callable
from functools import partial

from prefect.logging.handlers import PrefectConsoleHandler


def survive_closed_output() -> None:
    """Let Prefect's log fall silent where its reader is gone; rich would end the process."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            fall_silent = partial(setattr, handler.console, "quiet", True)
            setattr(handler.console, "on_broken_pipe", fall_silent)  # noqa: B010 - rich's own way


def log_only(is_shown: Callable[[logging.LogRecord], bool]) -> None:
    """Leave out other lines of what Prefect logs of flow runs and task runs."""
    for name in ("prefect.flow_runs", "prefect.task_runs", "prefect.engine"):
        logging.getLogger(name).addFilter(is_shown)
