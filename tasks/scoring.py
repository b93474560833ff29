"""Scoring the pairs of a file: every distance to the database, every probability to a CSV."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from prefect import get_run_logger

from model.calibration import Calibration, probability
from model.cautions import Caution
from model.distances import finite_points, row_distances
from storage.csv_cells import without_formulas
from storage.database import records, results
from storage.database.datasets import image_ids, record_dataset
from storage.database.evaluation_tables import Evaluation
from storage.database.handed_out import hand_out
from storage.database.pair_parts import store_part, writers
from storage.database.pair_rows import PairColumns, append_rows, open_rows, parts_of
from storage.database.session import transaction
from storage.errors import InputError, UnavailableError
from storage.files import remove, replacing, sha256_of, write_atomically
from storage.pairs.faults import Faults, check_faults, write_faults
from storage.pairs.file import read_pairs
from storage.pairs.submission import submission_writer
from storage.shards import Shard, shards_of
from tasks.cautions import cautions_about_model
from tasks.models import StoredModel
from tasks.pair_images import load_embedded
from tasks.support.progress import progress_bar
from tasks.support.run import OpenRun
from tasks.support.step import step


@dataclass(frozen=True, slots=True)
class Scored:
    """Where the answers are, how many there are, and how many rows have none."""

    evaluation_id: int
    submission: Path
    n_images: int
    n_pairs: int
    n_rejected: int
    n_doubtful: int  # images that some caution is about


@dataclass(frozen=True, slots=True)
class PairScoring:
    """What scores the pairs of a file: its images (N,) and their embeddings (N, D)."""

    pairs: Path
    n_rows: int
    names: list[str]
    points: np.ndarray
    calibration: Calibration
    prior: float
    rejected_share: float


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """How many pairs of a file were scored, and the parts of an evaluation that they belong to."""

    count: int
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WrittenScores:
    """Scores that wait in a file for the database: a shard is one part of the evaluation's pairs.

    ``writers`` is how many shards can be stored at once.
    """

    scored: Scored
    rows: Path
    shards: tuple[Shard[int], ...]
    writers: int


@step(hours=24)
def score_pairs(
    run: OpenRun,
    model: StoredModel,
    pairs: Path,
    n_rows: int,
    embedded: Sequence[Path],
    submission: Path,
    rejected_share: float,
) -> WrittenScores:
    """Write the probability of every pair to the submission, its distance to a file for later.

    Both are written anew by a resumed run: computing takes less time than reading.
    """
    space, rows = run.space, run.folder.scored_pairs
    images = load_embedded(pairs, embedded)
    scoring = PairScoring(
        pairs,
        n_rows,
        images.names,
        finite_points(images.embeddings),
        model.calibration,
        run.settings.prior,
        rejected_share,
    )
    content = sha256_of(pairs).encode() + images.embeddings.tobytes()
    content_hash = hashlib.sha256(content).hexdigest()
    evaluation_id, ids = _open_evaluation(run, model, content_hash, scoring)
    faults = Faults()
    try:
        written = write_scores(scoring, ids, faults, submission, rows)
    except UnavailableError:
        raise  # it may be back in a moment, for a retry to go on
    except InputError:
        with transaction(space.database_url) as session:
            records.fail_evaluation(session, evaluation_id)
        raise
    finally:
        if faults.count:
            write_faults(run.folder.rejected_pairs, faults)
    logger = get_run_logger()
    logger.info("%d pairs scored into %s", written.count, submission)
    if faults.count:
        logger.warning("%d rows not scored, see %s", faults.count, run.folder.rejected_pairs)
    n_doubtful = write_cautions(run, model, images.cautions)
    scored = Scored(
        evaluation_id, submission, len(images.names), written.count, faults.count, n_doubtful
    )
    return WrittenScores(scored, rows, shards_of(written.parts, 1), writers(space.database_url))


@step("store shard {shard.number} of {shard.count}", hours=24)
def store_scores(run: OpenRun, written: WrittenScores, shard: Shard[int]) -> None:
    """Store a part of the scores, unless it is stored already."""
    (part,) = shard.items
    pairs = open_rows(written.rows).in_part(part)
    store_part(run.space.database_url, written.scored.evaluation_id, part, pairs)


@step()
def complete_scores(run: OpenRun, model: StoredModel, written: WrittenScores) -> Scored:
    """Make the stored scores visible, all at once."""
    scored = written.scored
    measured = Evaluation(
        threshold=model.calibration.threshold, n_images=scored.n_images, n_pairs=scored.n_pairs
    )
    with transaction(run.space.database_url) as session:
        records.complete_evaluation(session, scored.evaluation_id, measured)
    remove(written.rows)
    return scored


def write_cautions(run: OpenRun, model: StoredModel, found: Sequence[Caution]) -> int:
    """Write what makes verdicts doubtful to the run's folder; return the number of such images."""
    logger, url = get_run_logger(), run.space.database_url
    about_model = cautions_about_model(hand_out(url, str(model.id)), url)
    for caution in about_model:
        logger.warning("%s", caution.text)
    counts = Counter(caution.code for caution in found)
    if counts:
        listed = ", ".join(f"{code} {count}" for code, count in sorted(counts.items()))
        logger.warning("Doubtful images: %s; see %s", listed, run.folder.cautions)
        table = without_formulas(pd.DataFrame([asdict(caution) for caution in found]))
        write_atomically(run.folder.cautions, table.to_csv(index=False).encode())
    return len({caution.image for caution in found})


def write_scores(
    scoring: PairScoring, image_ids: np.ndarray, faults: Faults, submission: Path, rows: Path
) -> ScoredRows:
    """Score the file piece by piece into a submission and a file of pairs by their images' ids."""
    count, parts = 0, set[int]()
    with (
        replacing(submission) as partial,
        submission_writer(partial) as write,
        replacing(rows) as partial_rows,
        partial_rows.open("wb") as file,
        progress_bar("scoring", "pair") as progress,
    ):
        for piece in read_pairs(scoring.pairs, scoring.names, faults):
            if faults.count > scoring.rejected_share * scoring.n_rows:
                break
            distances = row_distances(scoring.points, piece.first, piece.second)
            first, second = image_ids[piece.first], image_ids[piece.second]
            append_rows(file, PairColumns(piece.index, first, second, distances, None))
            write(piece.index, probability(distances, scoring.calibration, scoring.prior))
            parts.update(np.unique(parts_of(piece.index)).tolist())
            count += len(piece.index)
            progress(piece.n_rows, scoring.n_rows)
        check_faults(scoring.pairs, faults, scoring.n_rows, scoring.rejected_share)
    return ScoredRows(count, tuple(sorted(parts)))


def _open_evaluation(
    run: OpenRun, model: StoredModel, content_hash: str, scoring: PairScoring
) -> tuple[int, np.ndarray]:
    """Begin the evaluation of a run, or find the one that it left unfinished.

    Returns its id, and those of the images (N,).
    """
    names = scoring.names
    with transaction(run.space.database_url) as session:
        dataset_id = record_dataset(
            session,
            source=run.source,
            content_hash=content_hash,
            images=pd.DataFrame({"image_name": names, "artist_name": None, "split": "test"}),
            rejected=pd.DataFrame(columns=["image_name", "reason"]),
        )
        records.attach_dataset(session, run.id, dataset_id)
        known = image_ids(session, dataset_id)
        ids = np.array([known[name] for name in names])
        there = results.unfinished_evaluation(session, run.id)
        if there and (there.model_id, there.dataset_id) == (model.id, dataset_id):
            return there.id, ids
        begun = Evaluation(
            run_id=run.id,
            model_id=model.id,
            dataset_id=dataset_id,
            split=None,
            prior=scoring.prior,
        )
        return records.start_evaluation(session, begun), ids
