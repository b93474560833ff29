"""Crowning: a new model takes over only if it is better than the champion on the same images."""

from flows.features import features_of
from flows.prepare import Prepared, crop_to_zip
from flows.runs import StartedRun
from flows.settings import Settings
from tasks.champion import Entrant, fight, find_champion, promote
from tasks.evaluation import embed_split
from tasks.records import KeptModel


def crown(started: StartedRun, prepared: Prepared, model: KeptModel) -> KeptModel | None:
    """Promote ``model`` if there is no champion, or if it wins on the validation images.

    Returns the champion that it met, if any.
    """
    champion = find_champion(started.space)
    if champion is None:
        promote(model, started.space)
    if champion is None or champion.id == model.id:
        return None
    challenger = Entrant(prepared.dataset, started.run.folder.embeddings("network", "validation"))
    rival = embed_by_champion(started, prepared, champion)
    if fight(challenger, rival, champion.known_artists).is_won:
        promote(model, started.space)
    return champion


def embed_by_champion(started: StartedRun, prepared: Prepared, champion: KeptModel) -> Entrant:
    """Show the champion the same images, cropped as it was trained."""
    settings = Settings.model_validate(champion.settings)
    dataset = crop_to_zip(
        prepared.divided.catalog,
        settings.crop_rules(),
        started.settings.rejected_share,
        started.space,
    )
    embeddings = embed_split(
        champion.network_on(started.compute),
        dataset,
        "validation",
        started.compute,
        started.run.folder.embeddings("champion", "validation"),
        features_of(dataset, champion.checkpoint, settings, started.space),
    )
    return Entrant(dataset, embeddings)
