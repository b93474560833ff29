"""The championship: a new model takes over if it is surely better on the same images."""

from flows.features import features_of
from flows.prepare import Prepared, crop_to_zip
from tasks.champion import (
    Comparison,
    EmbeddedValidation,
    compare_with_champion,
    find_champion,
    promote_model,
)
from tasks.embedding import embed_split
from tasks.models import StoredModel, network_on
from tasks.support.run import OpenRun


def challenge_champion(
    run: OpenRun, prepared: Prepared, challenger: StoredModel
) -> StoredModel | None:
    """Promote the challenger if it is better than its purpose's champion, or if there is none.

    Returns the champion that it met, if any.
    """
    while True:
        champion = find_champion(run.space, challenger.purpose)
        if champion is not None and champion.id == challenger.id:
            return None
        compared = None
        if champion and champion.has_file:
            compared = compare(run, prepared, challenger, champion)
            if compared.against is not None:
                return champion
        if promote_model(run, challenger, champion, compared):
            return champion
        # Another run has promoted its model meanwhile: that is the champion to meet.


def compare(
    run: OpenRun, prepared: Prepared, challenger: StoredModel, champion: StoredModel
) -> Comparison:
    """Compare two models; the champion sees the images cropped as in its training."""
    dataset = crop_to_zip(run, prepared.divided.catalog, champion.settings.crop_rules())
    features = features_of(dataset, champion.checkpoint, champion.settings, run.space)
    network = network_on(run.compute, champion.checkpoint)
    embeddings = embed_split(run, network, dataset, "validation", features, by="champion")
    ours = EmbeddedValidation(prepared.dataset, run.folder.embeddings("network", "validation"))
    theirs = EmbeddedValidation(dataset, embeddings)
    return compare_with_champion(run, challenger, ours, theirs, champion)
