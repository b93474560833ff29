"""The championship: a new model takes over if it is surely better on the same images."""

from flows.features import features_of
from flows.prepare import crop_to_zip
from storage.errors import InputError
from tasks.champion import (
    CommonGround,
    Comparison,
    EmbeddedValidation,
    MeasuredGround,
    Role,
    find_champion,
    find_common_grounds,
    judge_challenge,
    measure_on_ground,
    promote_model,
    write_ground,
)
from tasks.embedding import embed_split
from tasks.models import StoredModel, network_on
from tasks.support.run import OpenRun


def challenge_champion(run: OpenRun, challenger: StoredModel) -> StoredModel | None:
    """Promote the challenger if it is better than its purpose's champion, or if there is none.

    Returns the champion that it met, if any.
    """
    while True:
        champion = find_champion(run.space, challenger.purpose)
        if champion is not None and champion.id == challenger.id:
            return None
        compared = None if champion is None else compare(run, challenger, champion)
        if compared is not None and compared.against is not None:
            return champion
        if promote_model(run, challenger, champion, compared):
            return champion
        # Another run has promoted its model meanwhile: that is the champion to meet.


def compare(run: OpenRun, challenger: StoredModel, champion: StoredModel) -> Comparison:
    """Compare two models on the champion's validation images, and on the challenger's.

    A champion whose files are gone cannot be compared, and so stays.
    """
    try:
        grounds = [
            compare_on(run, ground, challenger, champion)
            for ground in find_common_grounds(challenger, champion)
        ]
    except InputError as error:
        return judge_challenge(run, challenger, champion, (), str(error))
    return judge_challenge(run, challenger, champion, grounds)


def compare_on(
    run: OpenRun, ground: CommonGround, challenger: StoredModel, champion: StoredModel
) -> MeasuredGround:
    """Let two models embed the same images, and compare how well each tells the artists apart."""
    if ground.is_too_small:
        return ground.unmeasured()
    ours = embed_ground(run, ground, challenger, "challenger")
    theirs = embed_ground(run, ground, champion, "champion")
    return measure_on_ground(run, ground, ours, theirs)


def embed_ground(
    run: OpenRun, ground: CommonGround, model: StoredModel, role: Role
) -> EmbeddedValidation:
    """Embed the images of a common ground, cropped as in the model's training."""
    dataset, rules = ground.owner.require_dataset(), model.settings.crop_rules()
    if rules != ground.owner.settings.crop_rules():
        dataset = crop_to_zip(run, write_ground(run, ground), rules)
    features = features_of(dataset, model.checkpoint, model.settings, run.space)
    network, by = network_on(run.compute, model.checkpoint), f"{role}-on-{ground.of}s"
    embeddings = embed_split(run, network, dataset, "validation", features, by)
    return EmbeddedValidation(dataset, embeddings)
