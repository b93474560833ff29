"""What is needed to use a model, read in the shortest time.

SQLite is read with the standard library: importing SQLAlchemy and describing all tables takes a
third of a second, too long for comparing two images.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from storage.database.revisions import VERSION_TABLE, newest_revision
from storage.errors import InputError

if TYPE_CHECKING:
    from storage.database.tables import Model

SQLITE = ("sqlite", "sqlite+pysqlite")
COLUMNS = (
    "id, run_id, path, sha256, threshold, calibration_slope, calibration_midpoint, accept_within,"
    " reject_beyond"
)

ASKED = 500  # values in one question; SQLite takes 999

_IN_TRAINING = """
SELECT sha256 FROM images JOIN runs ON runs.dataset_id = images.dataset_id
WHERE runs.id = :run AND images.split = 'train' AND images.sha256 IN ({hashes})
"""
_BETTER_BASELINE = """
SELECT baselines.name FROM baselines JOIN evaluations ON evaluations.id = baselines.evaluation_id
WHERE baselines.roc_auc >= evaluations.roc_auc AND evaluations.id = (
    SELECT max(id) FROM evaluations
    WHERE model_id = :model AND split = 'test' AND status = 'complete'
) ORDER BY baselines.roc_auc DESC LIMIT 1
"""


_MOST_TESTED = """
(SELECT coalesce(max(n_images), 0) FROM evaluations
 WHERE model_id = models.id AND split = 'test' AND models.is_champion) DESC, id DESC
"""
_ATLAS = """
SELECT atlases.id, runs.source, runs.directory FROM atlases JOIN runs ON runs.id = atlases.run_id
WHERE atlases.model_id = :model AND (runs.source = :source OR :source IS NULL)
ORDER BY atlases.id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class FoundAtlas:
    """An atlas, the source that it is of, and the folder of its run in the workspace."""

    id: int
    source: str
    directory: str


@dataclass(frozen=True, slots=True)
class HandedOut:
    """A model: where its files are, and what its distances mean."""

    id: int
    run_id: int
    path: str
    sha256: str
    threshold: float
    calibration_slope: float
    calibration_midpoint: float
    accept_within: float
    reject_beyond: float


def hand_out(url: str, wanted: str | None = None, source: str | None = None) -> HandedOut:
    """Return a model of the database at `url`, found as by `results.find_model`.

    Raises `InputError` if there is none, and whatever else `transaction` raises.
    """
    rows = _from_sqlite(url, _question(wanted), {"wanted": wanted, "source": source})
    return HandedOut(*rows[0]) if rows else _from_any(url, wanted, source)


def trained_on(url: str, model: HandedOut, sha256: Sequence[str]) -> frozenset[str]:
    """Return those of the files' SHA-256 that are among the model's training images."""
    found: list[str] = []
    for start in range(0, len(sha256), ASKED):
        values = {f"hash{n}": each for n, each in enumerate(sha256[start : start + ASKED])}
        question = _IN_TRAINING.format(hashes=", ".join(f":{name}" for name in values))
        found += (row[0] for row in _ask(url, question, {"run": model.run_id, **values}))
    return frozenset(found)


def better_baseline(url: str, model_id: int) -> str | None:
    """Return the baseline that the network did not beat in its latest test, if there is one."""
    found = _ask(url, _BETTER_BASELINE, {"model": model_id})
    return str(found[0][0]) if found else None


def find_atlas(url: str, model_id: int, source: str | None) -> FoundAtlas:
    """Return the newest atlas by a model, of a source or of any. Raises InputError without one."""
    rows = _ask(url, _ATLAS, {"model": model_id, "source": source})
    if not rows:
        raise InputError(
            f"model {model_id} has no atlas of {source or 'any source'};"
            f" make one with `samehand atlas {source or 'SOURCE'} --model {model_id}`"
        )
    return FoundAtlas(*rows[0])


def _ask(url: str, question: str, values: dict[str, Any]) -> Sequence[Any]:
    """Return the rows of an answer, by the standard library where that suffices."""
    rows = _from_sqlite(url, question, values)
    if rows is not None:
        return rows
    from sqlalchemy import text

    from storage.database.session import transaction

    with transaction(url) as session:
        return session.execute(text(question), values).all()


def sqlite_file(url: str) -> Path | None:
    """Return the file of the SQLite database at `url`; None for another kind of database."""
    driver, _, file = url.partition(":///")
    return Path(unquote(file)) if driver in SQLITE else None


def _from_sqlite(url: str, question: str, values: dict[str, Any]) -> Sequence[Any] | None:
    """Ask an SQLite file of our revision; None if anything is unusual."""
    file = sqlite_file(url)
    if file is None or not file.is_file():
        return None
    read_only = f"file:{quote(str(file.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(read_only, uri=True)) as database:
            revision = database.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
            rows = database.execute(question, values).fetchall()
    except sqlite3.Error:
        return None  # SQLAlchemy then waits, upgrades, or says what is wrong
    return rows if revision == (newest_revision(),) else None


def _question(wanted: str | None) -> str:
    select, best = f"SELECT {COLUMNS} FROM models", f"purpose IS :source DESC, {_MOST_TESTED}"
    match wanted:
        case None:
            return f"{select} ORDER BY is_champion DESC, {best} LIMIT 1"
        case "champion":
            return f"{select} WHERE is_champion ORDER BY {best} LIMIT 1"
        case "last":
            return f"{select} ORDER BY id DESC LIMIT 1"
        case _:
            of_purpose = "is_champion AND purpose != '' AND purpose = :wanted"
            return f"{select} WHERE {of_purpose} OR CAST(id AS TEXT) = :wanted"


def _from_any(url: str, wanted: str | None, source: str | None) -> HandedOut:
    from storage.database import results
    from storage.database.session import transaction

    with transaction(url) as session:
        return handed_out(results.find_model(session, wanted, source))


def handed_out(model: "Model") -> HandedOut:
    """Return what is needed to use a model."""
    return HandedOut(
        model.id,
        model.run_id,
        model.path,
        model.sha256,
        model.threshold,
        model.calibration_slope,
        model.calibration_midpoint,
        model.accept_within,
        model.reject_beyond,
    )
