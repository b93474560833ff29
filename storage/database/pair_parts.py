"""Store the pairs of an evaluation part by part, in any order, by several writers at once.

A part that is stored again changes nothing, so whoever stored it may have died before telling.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from storage.database.dialects import dialect_of
from storage.database.pair_rows import PairColumns, parts_of
from storage.database.session import transaction


def writers(url: str) -> int:
    """Return how many parts are best stored at once."""
    with transaction(url) as session:
        return dialect_of(session).writers()


def store_part(url: str, evaluation_id: int, part: int, pairs: PairColumns) -> None:
    """Store the pairs of one part; called again with the same pairs, it stores what is missing."""
    with transaction(url) as session:
        dialect, connection = dialect_of(session), session.connection()
        missing = dialect.missing_of_part(connection, evaluation_id, part, len(pairs))
    for piece in missing:
        with transaction(url) as session:
            connection = session.connection()
            dialect.store_in_part(connection, evaluation_id, part, pairs.part(piece))


def store_pairs(url: str, evaluation_id: int, pairs: PairColumns) -> None:
    """Store the pairs of an evaluation, several parts at once where the database can do that."""
    parts = np.unique(parts_of(pairs.pair_index)).tolist()
    with ThreadPoolExecutor(writers(url)) as pool:
        stored = [
            pool.submit(store_part, url, evaluation_id, part, pairs.in_part(part)) for part in parts
        ]
        try:
            for future in stored:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
