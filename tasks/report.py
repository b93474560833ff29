"""The report: plots as files, one Markdown page, and both as Prefect artifacts."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact

from model.distances import Pairs
from model.hardest import hardest_pairs
from model.metrics import reliability, roc_points
from storage.database import results
from storage.database.session import transaction
from storage.datasets.dataset import Dataset, SplitImages
from storage.datasets.pixels import open_pixels
from storage.files import write_atomically
from storage.pages.report_page import Evidence, write_report_page
from storage.reports.findings import report_on
from storage.reports.plots import (
    ShownPair,
    plot_distances,
    plot_epochs,
    plot_pairs,
    plot_reliability,
    plot_roc,
)
from storage.reports.report import Picture, Report, escaped, render_report
from storage.run_folder import RunFolder
from tasks.models import StoredModel
from tasks.support.artifacts import if_server_answers
from tasks.support.run import OpenRun
from tasks.support.step import step

MISTAKES_SHOWN = 8


@step()
def plot_training(run: OpenRun, best_epoch: int) -> tuple[Picture, ...]:
    """Draw loss and accuracy by epoch."""
    with transaction(run.space.database_url) as session:
        epochs = results.epochs(session, run.id)
    folder, is_triplet = run.folder.directory, run.settings.loss == "triplet"
    # Another training loss cannot be compared with the triplet loss of the other splits.
    compared = ("train", "validation", "test") if is_triplet else ("validation", "test")
    plot_epochs(epochs, "accuracy", best_epoch, folder / "accuracy.png")
    plot_epochs(epochs, "loss", best_epoch, folder / "loss.png", compared)
    return (
        Picture("accuracy.png", "Triplet accuracy by epoch"),
        Picture("loss.png", "Triplet loss by epoch"),
    )


def plot_test(
    run: OpenRun, model: StoredModel, dataset: Dataset, images: SplitImages, pairs: Pairs
) -> tuple[Picture, ...]:
    """Draw the ROC curve, the distances, and the most confident mistakes on the test split."""
    folder = run.folder.directory
    curve = roc_points(pairs)
    title = "Receiver operating characteristic, unseen artists"
    plot_roc(curve.false_positive_rate, curve.true_positive_rate, title, folder / "roc.png")
    plot_distances(
        pairs.distance, pairs.same_artist, model.calibration.threshold, folder / "distances.png"
    )
    found = reliability(pairs, model.calibration)
    plot_reliability(found.probability, found.same_share, folder / "reliability.png")
    mistakes = _mistakes(pairs, images, model, dataset)
    plot_pairs(mistakes, "The most confident mistakes", folder / "mistakes.png")
    return (
        Picture("roc.png", title),
        Picture("distances.png", "Distances of pairs by one artist and by two"),
        Picture("reliability.png", "Share of pairs by one artist, by their probability"),
        Picture("mistakes.png", "The most confident mistakes"),
    )


@step()
def write_report(
    run: OpenRun,
    evaluation_id: int,
    champion: StoredModel | None,
    pictures: Sequence[Picture],
    evidence: Evidence,
    dataset: Dataset,
) -> Report:
    """Write the report of an evaluation, as it stands in the results database, and its page."""
    rival = champion.id if champion else None
    with transaction(run.space.database_url) as session:
        report = report_on(session, run.id, evaluation_id, pictures, rival)
    write_atomically(run.folder.report, render_report(report).encode())
    write_report_page(run.folder.page, report, evidence, dataset.crops, run.folder.directory)
    return report


@step()
def publish_curve(run: OpenRun, best_epoch: int) -> None:
    """Show loss and accuracy so far in Prefect's UI."""
    pictures = plot_training.fn(run, best_epoch)
    with if_server_answers():
        for picture in pictures:
            create_image_artifact(
                embedded(run.folder, picture),
                key=f"{Path(picture.file_name).stem}-by-epoch",
                description=f"Run {run.id} on {run.source}: {picture.caption}",
            )


@step()
def publish_report(run: OpenRun, report: Report) -> None:
    """Show epochs and the report with its pictures in Prefect's UI."""
    epochs = report.epochs.astype(object).where(report.epochs.notna(), None)
    rows = [dict(zip(epochs.columns, row, strict=True)) for row in epochs.itertuples(index=False)]
    place = run.folder.page.resolve()
    page = render_report(report, lambda picture: embedded(run.folder, picture), place)
    with if_server_answers():
        if rows:
            create_table_artifact(rows, key="epochs", description=escaped(report.title))
        create_markdown_artifact(page, key="report", description=escaped(report.title))


def embedded(folder: RunFolder, picture: Picture) -> str:
    """Return a picture beside the report as a link that holds it."""
    content = (folder.directory / picture.file_name).read_bytes()
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _mistakes(
    pairs: Pairs, images: SplitImages, model: StoredModel, dataset: Dataset
) -> list[ShownPair]:
    pixels = open_pixels(dataset.pixels)
    shown = []
    for chosen in hardest_pairs(pairs, model.calibration.threshold, MISTAKES_SHOWN):
        first, second = pairs.first_idx[chosen], pairs.second_idx[chosen]
        artists = dict.fromkeys((images.artist_names[first], images.artist_names[second]))
        titles = [images.titles[row] or Path(images.names[row]).stem for row in (first, second)]
        taken_for = "two artists" if pairs.same_artist[chosen] else "one artist"
        caption = (
            f"{' / '.join(artists)}\n{' / '.join(titles)}\n"
            f"taken for {taken_for}, d = {pairs.distance[chosen]:.2f}"
        )
        crops = [np.asarray(pixels[images.rows[row]]) for row in (first, second)]
        shown.append(ShownPair(crops[0], crops[1], caption))
    return shown
