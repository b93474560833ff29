"""Cells of CSV files that a spreadsheet would take for formulas: a quote before them."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORMULA = r"^([=+\-@\t\r])"
AS_TEXT = r"'\1"


def without_formulas(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return the table with a quote before each text that a spreadsheet would compute.

    >>> import pandas as pd
    >>> without_formulas(pd.DataFrame({"name": ["=1+1", "a"], "n": [-1, 2]})).to_csv(index=False)
    "name,n\\n'=1+1,-1\\na,2\\n"
    """
    texts = {str(name): table[name].map(_guarded) for name in table if _holds_text(table[name])}
    return table.assign(**texts)


def batch_without_formulas(batch: "pa.RecordBatch") -> "pa.RecordBatch":
    """Return a batch of rows with a quote before each text that a spreadsheet would compute."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [
        pc.replace_substring_regex(column, FORMULA, AS_TEXT)
        if pa.types.is_string(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _holds_text(column: "pd.Series[Any]") -> bool:
    return column.dtype.kind in "OT"


def _guarded(cell: Any) -> Any:
    return re.sub(FORMULA, AS_TEXT, cell) if isinstance(cell, str) else cell
