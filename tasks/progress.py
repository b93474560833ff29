"""A progress bar for steps that take long, where somebody is watching."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(title: str, unit: str = "image") -> Iterator[Callable[[int, int], None]]:
    """Yield what a long function calls with (done, total); silent where output is no terminal."""
    with tqdm(desc=title, unit=unit, disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
