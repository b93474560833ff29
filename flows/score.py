"""score-flow: the pairs of a CSV file → distances in the database and a submission CSV."""

from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.environment import workspace
from flows.runs import (
    continued_run,
    mark_cancelled,
    mark_crashed,
    mark_failed,
    model_to_use,
    run_of_model,
)
from tasks.pair_images import embed_shard, find_images
from tasks.scoring import Scored, store_scores


@flow(
    name="score-flow",
    flow_run_name="score {pairs}",
    on_failure=[mark_failed],
    on_crashed=[mark_crashed],
    on_cancellation=[mark_cancelled],
)
def score_flow(
    pairs: str,
    images: str | None = None,
    model: int | None = None,
    output: str | None = None,
    rejected_share: Annotated[float, Field(ge=0, le=1)] | None = None,
    resume: int | None = None,
) -> Scored:
    """Score the pairs of a CSV file with the columns index, image1 and image2.

    Args:
        pairs: the CSV file, Kaggle's submission_info.csv for one; .gz and .zip are read in place.
        images: the folder of the images, or of Kaggle's test folder or zip; the CSV's own folder
            if left out.
        model: the number of a model; the champion if left out.
        output: where to write index,sameArtist; into the run's folder if left out.
        rejected_share: stop where more than this share of the rows cannot be scored; as in the
            model's training if left out.
        resume: the number of a stopped run to go on with, after the pairs that it has stored.
    """
    pair_file = Path(pairs).expanduser().absolute()
    space = workspace()
    kept = model_to_use(model, space, resume)
    with (
        continued_run(resume, "score-flow")
        if resume is not None
        else run_of_model("score-flow", str(pair_file), kept, {})
    ) as started:
        folder = started.run.folder
        root = Path(images).expanduser().absolute() if images else pair_file.parent
        named = find_images(pair_file, root)
        embedded = [
            embed_shard(shard, root, kept, started.settings.crop_rules(), started.compute, folder)
            for shard in named.shards
        ]
        submission = Path(output).absolute() if output else folder.directory / "submission.csv"
        share = started.settings.rejected_share if rejected_share is None else rejected_share
        return store_scores(
            started.run, kept, pair_file, named.n_rows, embedded, submission, share, started.space
        )
