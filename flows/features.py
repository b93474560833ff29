"""Features: what a frozen backbone sees is found once, and kept for every run that needs it."""

from dataclasses import replace
from pathlib import Path

from flows.settings import Settings
from storage.datasets.dataset import Dataset
from storage.workspace import Workspace
from tasks.features import (
    FeaturePlan,
    Features,
    WarpedCopy,
    divide_features,
    embed_features_shard,
    export_backbone,
    pack_features,
    plan_features,
    turn_at_features,
)


def features_of(
    dataset: Dataset, network: Path, settings: Settings, space: Workspace
) -> Features | None:
    """Show a dataset's crops to the network's backbone; None where it is not frozen."""
    if settings.train_backbone:
        return None
    backbone = export_backbone(network, dataset, space)
    plain = _make(plan_features(dataset, backbone, space))
    if not settings.mirrored:
        return Features(plain)
    return Features(plain, _make(plan_features(dataset, backbone, space, "mirrored")))


def features_to_train_on(
    dataset: Dataset, network: Path, settings: Settings, space: Workspace
) -> Features | None:
    """The same, and those of warped copies of the training images."""
    features = features_of(dataset, network, settings, space)
    if features is None:
        return None
    backbone = export_backbone(network, dataset, space)
    copies = [
        WarpedCopy(settings.warp_ranges(), settings.seed, number)
        for number in range(1, settings.warped_copies + 1)
    ]
    plans = [plan_features(dataset, backbone, space, copy) for copy in copies]
    return replace(features, copies=tuple(_make(plan) for plan in plans))


def _make(plan: FeaturePlan) -> Path:
    """Embed what the plan says, unless the very same was embedded before."""
    with turn_at_features(plan.store):
        if not plan.store.is_complete:
            pack_features(plan, [embed_features_shard(plan, one) for one in divide_features(plan)])
    return plan.store.array
