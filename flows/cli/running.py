"""Run a flow in this process, with Prefect's server beside it."""

import logging
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import typer

from flows.cli.ending import Ending
from flows.cli.server import TemporaryServer, start_server

if TYPE_CHECKING:
    from prefect import Flow

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Runner:
    """Calls a flow once Prefect's server is ready."""

    ending: Ending
    server: TemporaryServer | None
    continued_by: str | None

    def call(self, flow: "Flow[P, R]", *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``flow`` and return its result."""
        if self.server:
            self.server.wait_until_ready()
        watched = flow.with_options(on_running=[*flow.on_running_hooks, self.ending.note])
        with self.ending.in_flow(self.continued_by):
            return watched(*args, **kwargs)


def runner_here(
    context: typer.Context, quiet: bool, debug: bool, continued_by: str | None = None
) -> Runner:
    """Start Prefect's server. While it starts, the caller imports the flow and what it needs.

    ``continued_by`` is the command that continues a stopped run.
    """
    if quiet:
        os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "WARNING"
        os.environ["TQDM_DISABLE"] = "1"
    server = start_server(quiet)
    if not debug:
        log_only_news(has_ui=server is None)
    return Runner(context.find_object(Ending) or Ending(), server, continued_by)


def log_only_news(has_ui: bool) -> None:
    """Keep what Prefect logs to news: how a flow or step ended is told once, by what follows."""
    from tasks.support.output import log_only

    no_news = ["Encountered exception during", "Finished in state ", "Running hook ", "Hook "]
    if not has_ui:
        no_news.append("View at ")

    def is_news(record: logging.LogRecord) -> bool:
        record.exc_info = None
        record.exc_text = None
        return not record.getMessage().startswith(tuple(no_news))

    log_only(is_news)


def this_command() -> str:
    """The command as the user can type it again, also where it is not on the PATH."""
    typed = Path(sys.argv[0])
    on_path = shutil.which("samehand")
    is_found = on_path is not None and typed.exists() and Path(on_path).samefile(typed)
    return "samehand" if typed.name != "samehand" or is_found else str(typed)
