"""A user's mistake in one line and exit status 2; a failure of ours in one line and status 1."""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from flows.errors import USER_MISTAKES

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


class TerminatedError(BaseException):
    """The process was told to end; as this unwinds it, nothing that it started is left running."""


def raise_terminated(_signal: int, _frame: FrameType | None) -> None:
    """Handle SIGTERM."""
    raise TerminatedError


def resend_lost_signal(lost: "UnraisableHookArgs") -> None:
    """Tell the process again to end where it was told so in a destructor or a callback.

    Python raises what a handler of signals raises wherever it happens to be, and nothing goes on
    from there: the run would go on to its end. To be set as `sys.unraisablehook`.
    """
    sys.__unraisablehook__(lost)
    if isinstance(lost.exc_value, Exception):
        return
    from prefect.exceptions import TerminationSignal  # a second, unless a flow has begun

    if isinstance(lost.exc_value, KeyboardInterrupt | TerminatedError | TerminationSignal):
        interrupted = isinstance(lost.exc_value, KeyboardInterrupt)
        number = signal.SIGINT if interrupted else signal.SIGTERM
        again = Timer(0.1, os.kill, (os.getpid(), number))  # once out of here
        again.daemon = True
        again.start()


@contextmanager
def one_line_errors(debug: bool, going_on: str | None = None) -> Iterator[None]:
    """End the command on an error; with ``debug`` its traceback is shown as well.

    ``going_on`` is the command that goes on with what was stopped.
    """
    advice = f"; `{going_on}` goes on" if going_on else ""
    if not debug:
        _quieten_flows()
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except USER_MISTAKES as mistake:
        _fail(mistake, str(mistake), 2, debug)
    except KeyboardInterrupt as interrupt:
        _fail(interrupt, f"interrupted{advice}", 130, debug)
    except Exception as failure:
        text = (
            f"failed ({type(failure).__name__}): {failure}{_remedy(failure)}; --debug shows where"
        )
        _fail(failure, text, 1, debug)
    except TerminatedError as terminated:
        _fail(terminated, f"terminated{advice}", 143, debug)


def _remedy(failure: Exception) -> str:
    """What to do, where that is known."""
    if str(failure).startswith("Failed to reach API"):  # Prefect has no class of its own for it
        return "; start Prefect's server, or do without it: prefect config unset PREFECT_API_URL"
    return ""


def _fail(error: BaseException, text: str, status: int, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    typer.echo(f"samehand: {' '.join(text.split())}", err=True)
    raise typer.Exit(status)


def _quieten_flows() -> None:
    """Keep what Prefect logs to what people want to read.

    Of a failure its message, as the error is told once, at the end; of a step that ended well
    nothing, as the next one tells.
    """
    said_elsewhere = ("Encountered exception during execution", "Finished in state Completed()")

    def is_news(record: logging.LogRecord) -> bool:
        record.exc_info = None
        record.exc_text = None
        return not record.getMessage().startswith(said_elsewhere)

    for name in ("prefect.flow_runs", "prefect.task_runs", "prefect.engine"):
        logging.getLogger(name).addFilter(is_news)
