"""A progress bar in the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def terminal_bar(title: str, unit: str = "image") -> Iterator[Callable[[int, int], None]]:
    """Yield a function to call with (done, total); without a terminal the bar is silent."""
    with tqdm(desc=title, unit=unit, disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
