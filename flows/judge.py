"""Judging a model on artists it has never seen, beside the baselines; training and re-evaluation
both end with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.prepare import Prepared
from flows.runs import StartedRun
from flows.settings import is_presets_own
from model.calibration import Calibration
from model.evaluation import Resampling
from storage.reports.report import Picture, Report
from tasks.batches import KeptTriplets, draw_kept_triplets
from tasks.evaluation import (
    embed_split,
    judge_embeddings,
    measure_features,
    measure_mean_colours,
    verify_embeddings,
)
from tasks.features import Features
from tasks.records import KeptModel
from tasks.report import plot_evaluation, publish_report, write_report
from tasks.training import start_network
from tasks.verdicts import Judgement, store_evaluation


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run ends with."""

    run_id: int
    model_id: int
    evaluation_id: int
    report: Report
    report_path: Path


def draw_for_test(started: StartedRun, prepared: Prepared) -> KeptTriplets:
    """Draw the triplets that every model and baseline is judged by."""
    settings = started.settings
    return draw_kept_triplets(
        prepared.dataset,
        "test",
        settings.test_triplets,
        settings.seed,
        started.run.folder,
        settings.matched_on,
        is_optional=is_presets_own(started.run.preset, "matched_on", settings.matched_on),
    )


def build_untrained(started: StartedRun, trained: Path | None = None) -> Path:
    """Build the network as it is before any training; ``trained`` is what became of it, if any."""
    settings = started.settings
    return start_network(
        settings.network_shape(), settings.weights, settings.seed, started.run.folder, trained
    )


def judge_on_test(
    started: StartedRun,
    prepared: Prepared,
    model: KeptModel,
    untrained: Path,
    kept: KeptTriplets,
    champion: KeptModel | None,
    features: Features | None,
    training_pictures: Sequence[Picture] = (),
) -> Judged:
    """Embed, judge, store every pair, and report beside the champion."""
    run, settings, space = started.run, started.settings, started.space
    embeddings = embed_split(
        model.network_on(started.compute),
        prepared.dataset,
        "test",
        started.compute,
        run.folder.embeddings("network", "test"),
        features,
    )
    verification = verify_embeddings(
        embeddings,
        prepared.dataset,
        kept,
        margin=settings.margin,
        calibration=Calibration(model.threshold, model.slope),
        resampling=Resampling(settings.resamples, settings.seed),
    )
    evaluation_id = store_evaluation(
        run,
        model,
        prepared.dataset,
        prepared.dataset_id,
        embeddings,
        judge(started, prepared, "network", embeddings, kept),
        verification,
        judge_baselines(started, prepared, untrained, kept, features),
        kept.matched_on,
        space,
    )
    pictures = plot_evaluation(run, model, prepared.dataset, embeddings)
    report = write_report(run, evaluation_id, champion, [*training_pictures, *pictures], space)
    publish_report(run, report)
    return Judged(run.id, model.id, evaluation_id, report, run.folder.report)


def judge_baselines(
    started: StartedRun,
    prepared: Prepared,
    untrained: Path,
    kept: KeptTriplets,
    features: Features | None,
) -> tuple[Judgement, ...]:
    """Judge what is simpler on the same triplets and pairs: what does the training add?"""
    folder = started.run.folder
    before, headless = (
        describe(
            untrained,
            prepared.dataset,
            "test",
            started.compute,
            folder.embeddings(name, "test"),
            features,
        )
        for describe, name in ((embed_split, "untrained"), (measure_features, "features"))
    )
    colours = measure_mean_colours(
        prepared.dataset, "test", folder.embeddings("mean-colour", "test")
    )
    return (
        judge(started, prepared, "untrained network", before, kept),
        judge(started, prepared, "features without a head", headless, kept),
        judge(started, prepared, "mean colour", colours, kept),
    )


def judge(
    started: StartedRun, prepared: Prepared, name: str, embeddings: Path, kept: KeptTriplets
) -> Judgement:
    """Judge one way of embedding."""
    resampling = Resampling(started.settings.resamples, started.settings.seed)
    return Judgement(name, judge_embeddings(embeddings, prepared.dataset, kept, resampling))
