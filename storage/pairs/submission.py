"""Write a submission as Kaggle defines it: ``index,sameArtist``, a probability."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

STEPS = 10**6  # probabilities are written with six decimals
SCHEMA = pa.schema([("index", pa.int64()), ("sameArtist", pa.string())])

Write = Callable[[NDArray[np.int64], NDArray[np.float64]], None]


@contextmanager
def submission_writer(path: Path) -> Iterator[Write]:
    """Open a submission, and yield a function that writes indices (n,) and probabilities (n,).

    A piece is written in the background; its error is raised with the next piece or at the end.
    """
    # All possible texts: a look-up takes a tenth of the time of formatting.
    decimals = pc.utf8_lpad(pc.cast(pa.array(np.arange(STEPS)), pa.string()), 6, "0")
    below_one = pc.binary_join_element_wise("0", decimals, ".")
    texts = pa.concat_arrays([below_one, pa.array(["1.000000"])])
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    with (
        path.open("wb") as file,
        csv.CSVWriter(file, SCHEMA, write_options=options) as writer,
        ThreadPoolExecutor(1) as beside,
    ):
        file.write(b"index,sameArtist\n")  # Arrow would quote the names
        written: Future[None] = beside.submit(lambda: None)

        def write(index: NDArray[np.int64], probability: NDArray[np.float64]) -> None:
            nonlocal written
            written.result()  # one piece at a time, to limit memory
            written = beside.submit(_write, writer, texts, index, probability)

        yield write
        written.result()


def _write(
    writer: csv.CSVWriter,
    texts: pa.StringArray,
    index: NDArray[np.int64],
    probability: NDArray[np.float64],
) -> None:
    steps = np.rint(probability * STEPS).astype(np.int32)
    columns = [pa.array(index, pa.int64()), texts.take(pa.array(steps))]
    writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
