"""atlas-flow: embed a collection → find neighbours → attribute every picture → store → draw."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flows.features import features_of
from flows.prepare import prepare_for
from flows.runs import NewRun, find_model_to_use, open_run, recorded_flow
from flows.settings import EvaluationOverrides, resolve_for_evaluation
from flows.shards import on_shards
from tasks.atlas import (
    StoredAtlas,
    attribute_collection,
    divide_collection,
    draw_atlas,
    embed_collection_shard,
    find_neighbours,
    store_atlas,
)


@dataclass(frozen=True, slots=True)
class DrawnAtlas:
    """An atlas in the results database, and its page."""

    atlas: StoredAtlas
    page: Path


@recorded_flow("atlas {source} (model {model})")
def atlas_flow(
    source: str = "as trained",
    model: int | Literal["champion"] = "champion",
    settings: EvaluationOverrides | None = None,
    resume: int | None = None,
) -> DrawnAtlas:
    """Embed a collection with a model, so that it can be asked: what is like this, who painted it?

    Each picture gets its nearest neighbours and its most probable artists, itself left out.

    Args:
        source: where the paintings are; as trained: the model's own source, as it is now.
        model: the number of a model, or champion.
        settings: single settings that differ from those the model was trained with.
        resume: the number of a stopped run to go on with, after the shards that it has embedded.
    """
    used = find_model_to_use(None if model == "champion" else model, resume, source)
    paintings = used.source if source == "as trained" else source
    chosen = resolve_for_evaluation(used.settings, settings or {})
    with open_run(resume or NewRun(paintings, used.preset, chosen, used.id)) as run:
        prepared = prepare_for(run, used)
        features = features_of(prepared.dataset, used.checkpoint, run.settings, run.space)
        shards = divide_collection(prepared.dataset)
        embedded = on_shards(
            embed_collection_shard,
            shards,
            run=run,
            model=used,
            dataset=prepared.dataset,
            features=features,
        )
        neighbours = find_neighbours(embedded)
        attributed = attribute_collection(run, prepared.dataset, embedded, neighbours)
        atlas = store_atlas(
            run, used, prepared.dataset, prepared.dataset_id, neighbours, attributed
        )
        page = draw_atlas(run, used, prepared.dataset, embedded, neighbours, attributed)
        return DrawnAtlas(atlas, page)
