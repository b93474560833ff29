"""A run goes on when nobody reads its output any more, as after the kill of its worker."""

import logging
from functools import partial

from prefect.logging.handlers import PrefectConsoleHandler


def survive_closed_output() -> None:
    """Let Prefect's log fall silent where its reader is gone; rich would end the process."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            fall_silent = partial(setattr, handler.console, "quiet", True)
            setattr(handler.console, "on_broken_pipe", fall_silent)  # noqa: B010 - rich's own way
