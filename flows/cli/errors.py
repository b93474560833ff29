"""A user's mistake in one line and exit status 2; a failure of ours in one line and status 1."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from flows.errors import USER_MISTAKES


@contextmanager
def one_line_errors(debug: bool) -> Iterator[None]:
    """End the command on an error; with ``debug`` its traceback is shown as well."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError as closed:  # who read the output, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush
        raise typer.Exit(1) from closed
    except USER_MISTAKES as mistake:
        _fail(mistake, str(mistake), 2, debug)
    except Exception as failure:
        text = f"failed ({type(failure).__name__}): {failure}; --debug shows where"
        _fail(failure, text, 1, debug)


def _fail(error: BaseException, text: str, status: int, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    typer.echo(f"samehand: {' '.join(text.split())}", err=True)
    raise typer.Exit(status)
