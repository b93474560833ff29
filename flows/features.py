"""Features: what a frozen backbone sees is computed once, for every run that needs it."""

from pathlib import Path

from flows.settings import Settings
from flows.shards import on_shards
from storage.datasets.dataset import Dataset
from storage.workspace import Workspace
from tasks.features import (
    Copy,
    FeaturePlan,
    Features,
    WarpedCopy,
    divide_features,
    embed_features_shard,
    export_backbone,
    pack_features,
    plan_features,
)
from tasks.prepare import only_maker


def features_of(
    dataset: Dataset, network: Path, settings: Settings, space: Workspace, warped_copies: int = 0
) -> Features | None:
    """Show a dataset's crops to the network's backbone; return None if it is not frozen.

    Training images are also shown in ``warped_copies``.
    """
    if settings.train_backbone:
        return None
    backbone = export_backbone(network, dataset, space)

    def made(copy: Copy) -> Path:
        return _make(plan_features(dataset, backbone, space, copy), space)

    return Features(
        made("plain"),
        made("mirrored") if settings.mirrored else None,
        tuple(
            made(WarpedCopy(settings.warp_ranges(), settings.seed, number))
            for number in range(1, warped_copies + 1)
        ),
    )


def _make(plan: FeaturePlan, space: Workspace) -> Path:
    """Embed what the plan says, unless the very same was embedded before."""
    with only_maker(plan.store, space):
        if not plan.store.is_complete:
            pack_features(plan, on_shards(embed_features_shard, divide_features(plan), plan=plan))
    return plan.store.array
