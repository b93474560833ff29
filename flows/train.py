"""train-flow: prepare → per epoch: triplets, training, validation → test evaluation → report."""

from dataclasses import dataclass
from pathlib import Path

from prefect import flow

from flows.champion import crown
from flows.errors import SettingsError
from flows.features import features_of
from flows.judge import Judged, build_untrained, draw_for_test, judge_on_test
from flows.prepare import Prepared, crop, split
from flows.runs import (
    StartedRun,
    continued_run,
    mark_cancelled,
    mark_crashed,
    mark_failed,
    new_run,
)
from flows.settings import Overrides, PresetName
from model.selection import ValidatedEpoch, best_epoch, should_stop
from tasks.batches import KeptTriplets, draw_epoch_batches, draw_kept_triplets
from tasks.evaluation import choose_threshold, embed_split, score_checkpoint
from tasks.features import Features, standardise_features
from tasks.records import KeptModel, keep_model, network_on, read_history, record_epoch
from tasks.report import plot_training, publish_curve
from tasks.support.device import turn_on
from tasks.training import export_checkpoint, train_one_epoch


@dataclass(frozen=True, slots=True)
class KeptDraws:
    """The triplets that are drawn once: by them all epochs are compared."""

    validation: KeptTriplets
    test: KeptTriplets


@flow(
    name="train-flow",
    flow_run_name="train {source} ({preset})",
    on_failure=[mark_failed],
    on_crashed=[mark_crashed],
    on_cancellation=[mark_cancelled],
)
def train_flow(
    source: str = "sample",
    preset: PresetName = "demo",
    settings: Overrides | None = None,
    resume: int | None = None,
    promote: bool = True,
) -> Judged:
    """Train a network on a source, and judge it on artists it has never seen.

    Args:
        source: sample, a folder with Kaggle's data, a folder with one sub-folder per artist, or a
            catalog CSV.
        preset: the settings to start from.
        settings: single settings that differ from the preset.
        resume: the number of a run that was stopped; it goes on after its last finished epoch,
            with its own source and settings.
        promote: whether the model may become the champion.
    """
    if resume is None:
        run = new_run("train-flow", source, preset, settings)
    elif settings:
        raise SettingsError("a run that goes on has its own settings: leave settings out")
    else:
        run = continued_run(resume)
    with run as started:
        divided = split(started, needed=("train", "validation", "test"))
        untrained = build_untrained(started)  # its weights may be missing: known before hours go by
        prepared = crop(started, divided)
        features = see_crops(started, prepared, untrained)
        kept = draw_kept(started, prepared)
        history = train_epochs(started, prepared, kept, untrained, features)
        model = calibrate(started, prepared, history, features)
        champion = crown(started, prepared, model) if promote else None
        pictures = plot_training(started.run, model.epoch, started.space)
        return judge_on_test(
            started, prepared, model, untrained, kept.test, champion, features, pictures
        )


def see_crops(started: StartedRun, prepared: Prepared, untrained: Path) -> Features | None:
    """Show every crop to a frozen backbone once; a backbone that is trained sees them anew."""
    settings = started.settings
    features = features_of(
        prepared.dataset, untrained, settings, started.space, settings.warped_copies
    )
    standardise_features(untrained, prepared.dataset, started.compute, features)
    return features


def draw_kept(started: StartedRun, prepared: Prepared) -> KeptDraws:
    """Draw the triplets of validation and test."""
    settings = started.settings
    validation = draw_kept_triplets(
        prepared.dataset,
        "validation",
        settings.validation_triplets,
        settings.seed,
        started.run.folder,
    )
    test = draw_for_test(started, prepared)
    return KeptDraws(validation, test)


def train_epochs(
    started: StartedRun,
    prepared: Prepared,
    kept: KeptDraws,
    untrained: Path,
    features: Features | None,
) -> tuple[ValidatedEpoch, ...]:
    """Train until the last epoch, or until validation has stopped getting better."""
    settings, run = started.settings, started.run
    history = read_history(run, started.space)
    checkpoint = run.folder.checkpoint(history[-1].epoch) if history else untrained
    for epoch in range(len(history) + 1, settings.epochs + 1):
        if should_stop(history, settings.patience, settings.choose_epoch_by):
            break
        batches = draw_epoch_batches(
            prepared.dataset,
            settings.recipe(),
            settings.train_triplets,
            settings.seed,
            epoch,
            run.folder.epoch_triplets(epoch),
        )
        with turn_on(started.compute.device, run.id):
            trained = train_one_epoch(
                checkpoint,
                prepared.dataset,
                batches,
                settings.recipe(),
                started.compute,
                seed=settings.seed,
                epoch=epoch,
                folder=run.folder,
                features=features,
            )
        checkpoint = trained.checkpoint
        validation, test = (
            score_checkpoint(
                checkpoint, prepared.dataset, one, settings.margin, started.compute, features
            )
            for one in (kept.validation, kept.test)
        )
        history = record_epoch(run, trained, validation, test, started.space)
        publish_curve(run, best_epoch(history, settings.choose_epoch_by).epoch, started.space)
    return history


def calibrate(
    started: StartedRun,
    prepared: Prepared,
    history: tuple[ValidatedEpoch, ...],
    features: Features | None,
) -> KeptModel:
    """Keep the epoch that validation prefers, with a threshold from validation pairs."""
    run, settings = started.run, started.settings
    best = best_epoch(history, settings.choose_epoch_by)
    checkpoint = run.folder.checkpoint(best.epoch)
    export_checkpoint(checkpoint, prepared.dataset, settings.crop_rules())
    embeddings = embed_split(
        network_on(started.compute, checkpoint),
        prepared.dataset,
        "validation",
        started.compute,
        run.folder.embeddings("network", "validation"),
        features,
    )
    threshold = choose_threshold(embeddings, prepared.dataset)
    return keep_model(run, best, threshold, settings.network_shape(), started.space)
