"""Writing the pairs of an evaluation piece by piece, and what they are found by beside it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from storage.database.pair_rows import PairColumns
from storage.database.partitions import index_part, parts_of
from storage.database.records import on_sqlite, write_pairs
from storage.database.session import transaction
from storage.threads import available_cores

Write = Callable[[PairColumns], None]


@contextmanager
def pair_writer(url: str, evaluation_id: int) -> Iterator[Write]:
    """Yield what appends pairs to an evaluation, each call in a transaction of its own.

    On PostgreSQL what was written is indexed while later pairs are, and all of it is when the
    block ends well; an error that comes up in doing so is raised there.
    """
    written: set[int] = set()
    indexed: dict[int, Future[None]] = {}
    with ThreadPoolExecutor(available_cores()) as beside:

        def index(parts: set[int]) -> None:
            for part in sorted(parts - indexed.keys()):
                indexed[part] = beside.submit(_index, url, evaluation_id, part)

        def write(pairs: PairColumns) -> None:
            with transaction(url) as session:
                write_pairs(session, evaluation_id, pairs)
                parts = set() if on_sqlite(session) else _parts(pairs)
            index(written - parts)  # the next pairs go where these went, or further on
            written.update(parts)

        try:
            yield write
            index(written)
            for future in indexed.values():
                future.result()
        except BaseException:
            beside.shutdown(wait=False, cancel_futures=True)
            raise


def _parts(pairs: PairColumns) -> set[int]:
    return set(np.unique(parts_of(pairs.pair_index)).tolist())


def _index(url: str, evaluation_id: int, part: int) -> None:
    with transaction(url) as session:
        index_part(session.connection(), evaluation_id, part)
