"""Write the pairs of an evaluation piece by piece, while earlier pieces are indexed."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from storage.database.dialects import dialect_of
from storage.database.pair_rows import PairColumns
from storage.database.partitions import attach_part, index_part
from storage.database.records import write_pairs
from storage.database.session import transaction
from storage.threads import available_cores

Write = Callable[[PairColumns], None]


@contextmanager
def pair_writer(url: str, evaluation_id: int) -> Iterator[Write]:
    """Yield a function that appends pairs to an evaluation, each call in its own transaction.

    On PostgreSQL, threads index and check what is written while later pairs are written. The block
    ends once all of it is done; an error of a thread is raised with the next pairs, or there.
    """
    written: set[int] = set()
    finished: dict[int, Future[None]] = {}
    with ThreadPoolExecutor(available_cores()) as beside:

        def finish(parts: set[int]) -> None:
            for part in sorted(parts - finished.keys()):
                finished[part] = beside.submit(_finish, url, evaluation_id, part)

        def write(pairs: PairColumns) -> None:
            for future in finished.values():
                if future.done():
                    future.result()
            with transaction(url) as session:
                parts = dialect_of(session).parts_of(pairs.pair_index)
                finish(written - parts)  # most likely, no more pairs go there
                written.update(parts)
                write_pairs(session, evaluation_id, pairs)

        try:
            yield write
            finish(written)
            for future in finished.values():
                future.result()
        except BaseException:
            beside.shutdown(wait=False, cancel_futures=True)
            raise


def _finish(url: str, evaluation_id: int, part: int) -> None:
    with transaction(url) as session:
        index_part(session.connection(), evaluation_id, part)
    with transaction(url) as session:  # a short one: others cannot write while it lasts
        attach_part(session.connection(), evaluation_id, part)
