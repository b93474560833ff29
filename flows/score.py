"""score-flow: the pairs of a CSV file → distances in the database and a submission CSV."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from flows.errors import SettingsError
from flows.runs import NewRun, find_model_to_use, open_run, recorded_flow
from flows.shards import on_shards
from tasks.pair_images import embed_shard, find_images
from tasks.scoring import Scored, complete_scores, score_pairs, store_scores


@recorded_flow("score {pairs}")
def score_flow(
    pairs: str,
    images: str | None = None,
    model: int | None = None,
    output: str | None = None,
    rejected_share: Annotated[float, Field(ge=0, le=1)] | None = None,
    prior: Annotated[float, Field(gt=0, lt=1)] | None = None,
    resume: int | None = None,
) -> Scored:
    """Score the pairs of a CSV file with the columns index, image1 and image2.

    Args:
        pairs: the CSV file, Kaggle's submission_info.csv for one; .gz and .zip are read in place.
        images: the folder of the images, or of Kaggle's test folder or zip; the CSV's own folder
            if left out.
        model: the number of a model; the champion if left out.
        output: where to write index,sameArtist; into the run's folder if left out.
        rejected_share: stop if more than this share of the rows cannot be scored; as in the
            model's training if left out.
        prior: the share of pairs by one artist to assume beforehand; as in the model's training
            if left out, which is even odds unless set otherwise.
        resume: the number of a stopped run to go on with, after the pairs that it has stored.
    """
    pair_file = Path(pairs).expanduser().absolute()
    root = Path(images).expanduser().absolute() if images else pair_file.parent
    if resume is not None and prior is not None:
        raise SettingsError("prior: a resumed run has its own; leave it out")
    used = find_model_to_use(model, resume)
    assumed = {} if prior is None else {"prior": prior}
    settings = used.settings.model_copy(update=assumed)
    with open_run(resume or NewRun(str(pair_file), used.preset, settings, used.id)) as run:
        named = find_images(pair_file, root)
        embedded = on_shards(embed_shard, named.shards, run=run, model=used, root=root)
        submission = Path(output).absolute() if output else run.folder.directory / "submission.csv"
        share = run.settings.rejected_share if rejected_share is None else rejected_share
        written = score_pairs(run, used, pair_file, named.n_rows, embedded, submission, share)
        on_shards(store_scores, written.shards, written.writers, run=run, written=written)
        return complete_scores(run, used, written)
