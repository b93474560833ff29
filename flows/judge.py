"""Judging a model on artists it has never seen, beside baselines: training and re-evaluation end
with it."""

from dataclasses import dataclass
from pathlib import Path

from flows.prepare import Prepared
from flows.settings import preset_values
from storage.reports.report import Report
from tasks.batches import SplitTriplets, draw_split_triplets
from tasks.embedding import describe_by_features, describe_by_mean_colour, embed_split
from tasks.evaluation import Judgement, judge_baseline, judge_test_split
from tasks.features import Features
from tasks.models import StoredModel, network_on
from tasks.stored_evaluation import JudgedBaseline
from tasks.support.run import OpenRun


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run ends with."""

    run_id: int
    model_id: int
    evaluation_id: int
    report: Report
    report_path: Path


def draw_test_triplets(run: OpenRun, prepared: Prepared) -> SplitTriplets:
    """Draw the triplets that judge the model and the baselines."""
    count, matched_on = run.settings.test_triplets, run.settings.matched_on
    is_presets_own = matched_on == preset_values(run.preset)["matched_on"]  # nobody asked for it
    return draw_split_triplets(run, prepared.dataset, "test", count, matched_on, is_presets_own)


def judge_on_test(
    run: OpenRun,
    prepared: Prepared,
    model: StoredModel,
    untrained: Path,
    triplets: SplitTriplets,
    features: Features | None,
) -> Judgement:
    """Embed the test images, judge model and baselines on the same pairs, and store them all."""
    dataset, network = prepared.dataset, network_on(run.compute, model.checkpoint)
    embeddings = embed_split(run, network, dataset, "test", features)
    baselines = judge_baselines(run, prepared, untrained, triplets, features)
    return judge_test_split(
        run, model, dataset, prepared.dataset_id, embeddings, triplets, baselines
    )


def judge_baselines(
    run: OpenRun,
    prepared: Prepared,
    untrained: Path,
    triplets: SplitTriplets,
    features: Features | None,
) -> tuple[JudgedBaseline, ...]:
    """Judge what is simpler on the same triplets and pairs: what does the training add?"""
    dataset = prepared.dataset
    described = {
        "untrained network": embed_split(run, untrained, dataset, "test", features, by="untrained"),
        "features without a head": describe_by_features(run, untrained, dataset, "test", features),
        "mean colour": describe_by_mean_colour(run, dataset, "test"),
    }
    return tuple(
        judge_baseline(run, name, dataset, embeddings, triplets)
        for name, embeddings in described.items()
    )
