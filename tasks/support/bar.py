"""A progress bar in the terminal."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def terminal_bar(title: str, unit: str = "image") -> Iterator[Callable[[int, int], None]]:
    """Yield a function to call with (done, total).

    The bar is silent without a terminal, and where `TQDM_DISABLE` is set, as `--quiet` does.
    """
    is_silent = True if os.environ.get("TQDM_DISABLE") else None  # None: without a terminal
    with tqdm(desc=title, unit=unit, disable=is_silent, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
