"""Questions about one row: a run, a dataset, an artist, an image, two evaluations."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

import pandas as pd
from sqlalchemy import CTE, Select, and_, case, func, select
from sqlalchemy.orm import Session, aliased

from storage.database import views
from storage.database.evaluation_tables import (
    ArtistResult,
    Baseline,
    Evaluation,
    PairPrediction,
    Reliability,
)
from storage.database.results import frame, has_same_files, threshold_of
from storage.database.tables import Artist, Dataset, Image, Model, RejectedImage, Run, RunProcess
from storage.errors import InputError
from storage.file_names import caseless

METRICS = (
    "triplet_accuracy",
    "triplet_loss",
    "roc_auc",
    "eer",
    "balanced_accuracy",
    "recall_at_1",
    "map_at_r",
    "matched_triplet_accuracy",
    "threshold",
    "n_images",
    "n_pairs",
    "n_triplets",
)

SUGGESTED = 5
ALIKE = 0.7


def hardest_of_artist(session: Session, evaluation_id: int, name: str, limit: int) -> pd.DataFrame:
    """Return the artist's pairs furthest on the wrong side of the threshold, as `pair_results`.

    Any part of the name will do that no other name has. Raises `InputError` if the evaluation has
    no such artist, or judged none of their pairs.
    """
    of_artist = _images(evaluation_id).join(Artist, Artist.id == Image.artist_id)
    names = session.scalars(of_artist.with_only_columns(Artist.name).distinct()).all()
    name = find_name(names, name, f"evaluation {evaluation_id} has no image by")
    ids, splits = _found(session, of_artist.where(Artist.name == name))
    side = views.pairs_by_image.c
    theirs = _pairs_of(evaluation_id, ids).where(side.wrong_by.is_not(None))
    chosen = theirs.order_by(side.wrong_by.desc(), side.pair_index).limit(limit).cte("chosen")
    query = _results_of(evaluation_id, chosen)
    hardest = frame(session, query.order_by(chosen.c.wrong_by.desc(), chosen.c.pair_index))
    return _some(hardest, f"evaluation {evaluation_id} judged no pair of {name!r}", splits)


def pairs_of_image(session: Session, evaluation_id: int, filename: str, limit: int) -> pd.DataFrame:
    """Return the pairs of an image, nearest first, as `pair_results`.

    Any part of the file's name will do that no other name has. Raises `InputError` if the
    evaluation has no such image, or no pair of it.
    """
    images = _images(evaluation_id)
    names = session.scalars(images.with_only_columns(Image.filename)).all()
    filename = find_name(names, filename, f"evaluation {evaluation_id} has no image")
    ids, splits = _found(session, images.where(Image.filename == filename))
    side = views.pairs_by_image.c
    nearest = _pairs_of(evaluation_id, ids).order_by(side.distance, side.pair_index)
    chosen = nearest.limit(limit).cte("chosen")
    query = _results_of(evaluation_id, chosen)
    pairs = frame(session, query.order_by(chosen.c.distance, chosen.c.pair_index))
    return _some(pairs, f"evaluation {evaluation_id} has no pair of {filename!r}", splits)


def find_name(names: Sequence[str], wanted: str, none: str) -> str:
    """Return the name that is `wanted`, in whatever case, or that alone contains it.

    Raises `InputError` that begins with `none`, or with the names to choose from.

    >>> find_name(["Claude Monet", "Édouard Manet"], "monet", "there is no")
    'Claude Monet'
    """
    if wanted in names:
        return wanted
    plain, asked = {name: caseless(name) for name in names}, caseless(wanted)
    found = [name for name in names if asked in (plain[name], PurePath(plain[name]).stem)]
    found = found or [name for name in names if asked in plain[name]]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(sorted(found)[:SUGGESTED]) + (", …" if len(found) > SUGGESTED else "")
        raise InputError(f"{wanted!r} is part of {len(found)} names: {some}; give more of it")
    parts = {name: {plain[name], *re.split(r"[\W_]+", plain[name])} for name in names}
    alike = {*get_close_matches(asked, set().union(*parts.values()), SUGGESTED, ALIKE)}
    meant = [name for name in names if parts[name] & alike][:SUGGESTED]
    raise InputError(
        f"{none} {wanted!r}" + (f"; did you mean {', '.join(meant)}?" if meant else "")
    )


def changes(session: Session, before: Evaluation, after: Evaluation) -> pd.DataFrame:
    """Return metric by metric what it was, what it is, and the difference.

    If both judge the same pairs of the same files, wherever these lie, a last row says how many
    pairs have another verdict now. Raises `InputError` for a scored file beside a test.
    """
    if (before.split is None) != (after.split is None):
        scored, judged = (before, after) if before.split is None else (after, before)
        raise InputError(
            f"evaluation {scored.id} is a scored file and {judged.id} is not: they cannot be"
            " compared"
        )
    rows: list[tuple[str, float | None, float | None, float | None]] = []
    for metric in METRICS:
        was, now = getattr(before, metric), getattr(after, metric)
        if was is not None or now is not None:
            rows.append((metric, was, now, None if None in (was, now) else now - was))
    is_scored = before.split is None  # then files go by their names alone
    if before.split == after.split and (is_scored or has_same_files(session, before, after)):
        rows.append(("flipped_pairs", None, None, _count_flipped(session, before.id, after.id)))
    return pd.DataFrame(rows, columns=["metric", "before", "after", "difference"])


def _count_flipped(session: Session, before: int, after: int) -> int | None:
    """Count the pairs with another verdict in each evaluation; None if they share no pair."""
    one, other = aliased(PairPrediction), aliased(PairPrediction)
    same_then = one.distance <= threshold_of(before)
    same_now = other.distance <= threshold_of(after)
    query = (
        select(func.sum(case((same_then != same_now, 1), else_=0)))
        .join(other, one.pair_index == other.pair_index)
        .where(one.evaluation_id == before, other.evaluation_id == after)
    )
    for side in ("image_a_id", "image_b_id"):
        here, there = aliased(Image), aliased(Image)
        query = query.join(here, here.id == getattr(one, side))
        query = query.join(
            there, and_(there.id == getattr(other, side), there.filename == here.filename)
        )
    flipped: int | None = session.scalar(query)
    return flipped


def models(session: Session) -> pd.DataFrame:
    """Return all models, newest first."""
    columns = [each for each in Model.__table__.columns if each.name != "settings"]
    query = select(*columns, Run.preset, Run.source).join(Run, Run.id == Model.run_id)
    return frame(session, query.order_by(Model.id.desc()))


def datasets(session: Session) -> pd.DataFrame:
    """Return all datasets with how much they hold, newest first."""
    counts = [
        select(func.count(of.id)).where(of.dataset_id == Dataset.id).scalar_subquery().label(name)
        for of, name in ((Artist, "artists"), (Image, "images"), (RejectedImage, "rejected"))
    ]
    return frame(session, select(*Dataset.__table__.columns, *counts).order_by(Dataset.id.desc()))


def artists(session: Session, dataset_id: int) -> pd.DataFrame:
    """Return the artists of a dataset by name, with their split and how many images they have."""
    query = (
        select(Artist.name, Artist.split, func.count(Image.id).label("images"))
        .outerjoin(Image, Image.artist_id == Artist.id)
        .where(Artist.dataset_id == dataset_id)
        .group_by(Artist.id, Artist.name, Artist.split)
    )
    return frame(session, query.order_by(Artist.name))


def rejected(session: Session, dataset_id: int) -> pd.DataFrame:
    """Return the images of a dataset that cannot be used, and why."""
    query = select(RejectedImage.filename, RejectedImage.reason)
    of_dataset = RejectedImage.dataset_id == dataset_id
    return frame(session, query.where(of_dataset).order_by(RejectedImage.filename))


def baselines(session: Session, evaluation_id: int) -> pd.DataFrame:
    """Return what simpler methods achieve on the pairs and triplets of an evaluation."""
    columns = Baseline.__table__.columns
    of_evaluation = Baseline.evaluation_id == evaluation_id
    return frame(session, select(*columns).where(of_evaluation).order_by(Baseline.id))


def reliability(session: Session, evaluation_id: int) -> pd.DataFrame:
    """Return how many pairs are by one artist in each tenth of the probabilities."""
    columns = Reliability.__table__.columns
    of_evaluation = Reliability.evaluation_id == evaluation_id
    return frame(session, select(*columns).where(of_evaluation).order_by(Reliability.tenth))


def by_artist(session: Session, evaluation_id: int) -> pd.DataFrame:
    """Return the figures of each artist of an evaluation, the hardest first."""
    row, artist, nearest = ArtistResult, aliased(Artist), aliased(Artist)
    query = (
        select(
            artist.name.label("artist"),
            row.n_images,
            row.triplet_accuracy,
            row.triplet_accuracy_low,
            row.triplet_accuracy_high,
            row.roc_auc,
            nearest.name.label("nearest_artist"),
        )
        .join(artist, artist.id == row.artist_id)
        .outerjoin(nearest, nearest.id == row.nearest_artist_id)
        .where(row.evaluation_id == evaluation_id)
    )
    return frame(session, query.order_by(row.triplet_accuracy.nulls_last(), artist.name))


def describe_run(session: Session, run: Run) -> pd.DataFrame:
    """Return all that is recorded of a run and of the processes that worked on it, by name."""
    values = {column.name: getattr(run, column.name) for column in Run.__table__.columns}
    settings, libraries = values.pop("settings"), values.pop("library_versions")
    values |= {f"settings.{name}": value for name, value in settings.items()}
    values |= {f"library_versions.{name}": value for name, value in libraries.items()}
    processes = select(RunProcess).where(RunProcess.run_id == run.id).order_by(RunProcess.id)
    for number, process in enumerate(session.scalars(processes), 1):
        for name in ("started_at", "host", "device", "precision", "code_version"):
            values[f"process_{number}.{name}"] = getattr(process, name)
    rows = [(name, value) for name, value in values.items() if value is not None]
    return pd.DataFrame(rows, columns=["name", "value"], dtype=object)


def _found(session: Session, images: Select[*tuple[Any, ...]]) -> tuple[list[int], str]:
    """Return the numbers of the images, and the splits that they are in, for people to read."""
    found = session.execute(images).all()
    return [row.id for row in found], ", ".join(sorted({row.split for row in found}))


def _some(pairs: pd.DataFrame, none: str, splits: str) -> pd.DataFrame:
    """Return the pairs. Raises `InputError` if there are none."""
    if pairs.empty:
        raise InputError(f"{none}, of the split {splits}")
    return pairs


def _images(evaluation_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(Image.id, Image.split)
        .join(Evaluation, Evaluation.dataset_id == Image.dataset_id)
        .where(Evaluation.id == evaluation_id)
    )


def _pairs_of(evaluation_id: int, image_ids: list[int]) -> Select[*tuple[Any, ...]]:
    """Select each pair that has one of the images on either side."""
    side = views.pairs_by_image.c
    query = select(side.pair_index, side.distance, side.wrong_by).distinct()
    return query.where(side.evaluation_id == evaluation_id, side.image_id.in_(image_ids))


def _results_of(evaluation_id: int, chosen: CTE) -> Select[*tuple[Any, ...]]:
    """Select the results of the chosen pairs: names are looked up for these alone."""
    row = views.pair_results.c
    there = and_(row.evaluation_id == evaluation_id, row.pair_index == chosen.c.pair_index)
    return select(views.pair_results).join(chosen, there)
