"""train-flow: prepare → train → choose the threshold → judge → compare with the champion."""

from dataclasses import dataclass
from pathlib import Path

from flows.champion import challenge_champion
from flows.errors import SettingsError
from flows.features import features_of
from flows.judge import Judged, draw_test_triplets, judge_on_test
from flows.prepare import Prepared, crop, split
from flows.presets import PresetName
from flows.runs import NewRun, open_run, recorded_flow
from flows.settings import Overrides, resolve
from model.selection import ValidatedEpoch, best_epoch, should_stop
from tasks.batches import SplitTriplets, draw_epoch_batches, draw_split_triplets
from tasks.embedding import embed_split
from tasks.epochs import read_history, record_epoch
from tasks.evaluation import choose_threshold, score_checkpoint
from tasks.experience import keep_experience
from tasks.features import Features, standardise_features
from tasks.models import Threshold, network_on, register_model
from tasks.report import plot_training, publish_curve, publish_report, write_report
from tasks.support.device import device_for
from tasks.support.run import OpenRun
from tasks.training import build_untrained_network, export_checkpoint, train_one_epoch


@dataclass(frozen=True, slots=True)
class FixedTriplets:
    """The triplets that are drawn once and that all epochs are compared by."""

    validation: SplitTriplets
    test: SplitTriplets


@recorded_flow("train {source} ({preset})")
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
        resume: the number of a stopped run to go on with after its last finished epoch, with its
            own source and settings.
        promote: whether the model may become the champion.
    """
    if resume is not None and settings:
        raise SettingsError("settings: a resumed run has its own; leave them out")
    with open_run(resume or NewRun(source, preset, resolve(preset, settings or {}))) as run:
        divided = split(run, needed=("train", "validation", "test"))
        untrained = build_untrained_network(run)  # before cropping, as its weights may be missing
        prepared = crop(run, divided)
        features = see_crops(run, prepared, untrained)
        triplets = draw_fixed_triplets(run, prepared)

        history = train_epochs(run, prepared, triplets, untrained, features)
        best = best_epoch(history, run.settings.choose_epoch_by)
        threshold = choose_threshold_of(run, prepared, best, features)
        model = register_model(run, best, threshold)

        test = judge_on_test(run, prepared, model, untrained, triplets.test, features)
        may_win = promote and not threshold.has_collapsed
        champion = challenge_champion(run, model) if may_win else None

        pictures = (*plot_training(run, best.epoch), *test.pictures)
        report = write_report(
            run, test.evaluation_id, champion, pictures, test.evidence, prepared.dataset
        )
        publish_report(run, report)
        return Judged(run.id, model.id, test.evaluation_id, report, run.folder.report)


def see_crops(run: OpenRun, prepared: Prepared, untrained: Path) -> Features | None:
    """Show every crop to a frozen backbone once; one that is trained sees them in every epoch."""
    copies = run.settings.warped_copies
    features = features_of(prepared.dataset, untrained, run.settings, run.space, copies)
    standardise_features(run, untrained, prepared.dataset, features)
    return features


def draw_fixed_triplets(run: OpenRun, prepared: Prepared) -> FixedTriplets:
    """Draw the triplets of validation and test."""
    count = run.settings.validation_triplets
    validation = draw_split_triplets(run, prepared.dataset, "validation", count)
    return FixedTriplets(validation, draw_test_triplets(run, prepared))


def train_epochs(
    run: OpenRun,
    prepared: Prepared,
    triplets: FixedTriplets,
    untrained: Path,
    features: Features | None,
) -> tuple[ValidatedEpoch, ...]:
    """Train until the last epoch, or until validation has stopped getting better."""
    settings, dataset = run.settings, prepared.dataset
    history = read_history(run)
    checkpoint = run.folder.checkpoint(history[-1].epoch) if history else untrained
    for epoch in range(len(history) + 1, settings.epochs + 1):
        if should_stop(history, settings.patience, settings.choose_epoch_by):
            break
        batches = draw_epoch_batches(run, dataset, epoch)
        with device_for(run):
            trained = train_one_epoch(run, checkpoint, dataset, batches, epoch, features)
        checkpoint = trained.checkpoint
        validation, test = (
            score_checkpoint(run, checkpoint, dataset, one, features)
            for one in (triplets.validation, triplets.test)
        )
        history = record_epoch(run, trained, validation, test)
        publish_curve(run, best_epoch(history, settings.choose_epoch_by).epoch)
    return history


def choose_threshold_of(
    run: OpenRun, prepared: Prepared, epoch: ValidatedEpoch, features: Features | None
) -> Threshold:
    """Choose the threshold of an epoch's network on the validation pairs."""
    checkpoint = run.folder.checkpoint(epoch.epoch)
    export_checkpoint(run, checkpoint, prepared.dataset)
    network = network_on(run.compute, checkpoint)
    embeddings = embed_split(run, network, prepared.dataset, "validation", features)
    keep_experience(run, checkpoint, prepared.dataset, embeddings, features)
    return choose_threshold(embeddings, prepared.dataset, run.settings)
