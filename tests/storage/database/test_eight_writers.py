"""Processes that write evaluations at once: all complete, none doubled, none lost."""

import subprocess
import sys

from sqlalchemy import text
from sqlalchemy.orm import Session

WRITER = """
import os
import sys
import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session
from storage.database.datasets import image_ids, record_dataset
from storage.database.engine import open_database
from storage.database.evaluation_tables import Evaluation
from storage.database.pair_rows import PairColumns
from storage.database.records import complete_evaluation, start_evaluation
from storage.database.tables import Model
from tests.storage.conftest import write_pairs

for writer in range(8):
    if os.fork() == 0:
        break
else:  # the parent, once all its children have ended well
    sys.exit(max(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(8)))
engine = open_database(sys.argv[1])
for number in range(3):
    images = pd.DataFrame({"image_name": ["a", "b"], "artist_name": None, "split": "test"})
    nothing = pd.DataFrame({"image_name": [], "reason": []})
    with Session(engine) as session, session.begin():
        dataset_id = record_dataset(
            session,
            source=f"writer {writer}",
            content_hash=str(number),
            images=images,
            rejected=nothing,
        )
        model = session.scalars(select(Model)).one()
        begun = Evaluation(
            run_id=model.run_id, model_id=model.id, dataset_id=dataset_id, split="test"
        )
        evaluation_id = start_evaluation(session, begun)
        image = np.full(500, image_ids(session, dataset_id)["a"])
    for start in (0, 500):
        index = np.arange(start, start + 500)
        with Session(engine) as session, session.begin():
            write_pairs(
                session, evaluation_id, PairColumns(index, image, image, index * 1.0, None)
            )
    with Session(engine) as session, session.begin():
        complete_evaluation(session, evaluation_id, Evaluation(n_pairs=1000))
"""


def test_eight_processes_write_at_once(database_url: str, session: Session, model_id: int) -> None:
    session.commit()
    writers = subprocess.run(
        [sys.executable, "-c", WRITER, database_url], capture_output=True, text=True, timeout=120
    )
    assert (writers.stderr, writers.returncode) == ("", 0)
    query = (
        "SELECT count(*), sum(counted), sum(summed) FROM (SELECT count(*) AS counted,"
        " sum(distance) AS summed FROM pair_results GROUP BY evaluation_id) AS each_one"
    )
    assert tuple(session.execute(text(query)).one()) == (24, 24_000, 24 * 499_500)
