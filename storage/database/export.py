"""All pairs of an evaluation in a file for other programs: Parquet or CSV, with flat memory."""

from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet
from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.csv_cells import batch_without_formulas
from storage.database import views
from storage.errors import InputError
from storage.files import replacing

CHUNK = 50_000
SUFFIXES = (".parquet", ".csv")
SCHEMA = pa.schema(
    [
        ("pair_index", pa.int64()),
        ("filename_a", pa.string()),
        ("filename_b", pa.string()),
        ("artist_a", pa.string()),
        ("artist_b", pa.string()),
        ("distance", pa.float64()),
        ("threshold", pa.float64()),
        ("log_likelihood_ratio", pa.float64()),
        ("probability", pa.float64()),
        ("verdict", pa.string()),
        ("predicted_same", pa.bool_()),
        ("same_artist", pa.bool_()),
        ("correct", pa.bool_()),
        ("wrong_by", pa.float64()),
    ]
)


def export_pairs(session: Session, evaluation_id: int, file: Path) -> int:
    """Write the pairs of an evaluation in the columns of `pair_results`; returns their number.

    The suffix of `file` says which form it takes. Raises `InputError` for any other suffix.
    """
    if file.suffix not in SUFFIXES:
        raise InputError(f"{file}: name the file {' or '.join(SUFFIXES)}")
    columns = [views.pair_results.c[name] for name in SCHEMA.names]
    query = select(*columns).where(views.pair_results.c.evaluation_id == evaluation_id)
    rows = session.connection().execution_options(yield_per=CHUNK).execute(query)
    count = 0
    with replacing(file) as partial, partial.open("wb") as target:
        is_csv = file.suffix == ".csv"
        form = csv.CSVWriter if is_csv else parquet.ParquetWriter
        with form(target, SCHEMA) as writer:
            for chunk in rows.partitions():
                values = [dict(zip(SCHEMA.names, row, strict=True)) for row in chunk]
                batch = pa.RecordBatch.from_pylist(values, schema=SCHEMA)
                writer.write_batch(batch_without_formulas(batch) if is_csv else batch)
                count += len(chunk)
    return count
