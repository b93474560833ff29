"""When two artists' names are one."""

import unicodedata

import pandas as pd


def tidy_artist_names(names: "pd.Series[str]") -> "pd.Series[str]":
    """Bring artists' names to Unicode's composed form (NFC) and cut the blanks around them.

    Blanks stay where cutting them would make one artist of two, for `spelling_key` to compare:
    the reference has `Evening` and `Evening `, two mistaken labels of one image each, which as
    one artist would no longer be too small to be used.
    """
    composed = names.map({name: unicodedata.normalize("NFC", name) for name in names.unique()})
    stripped = composed.str.strip()
    is_shared = composed.groupby(stripped).transform("nunique") > 1
    return stripped.where(~is_shared, composed)


def spelling_key(name: str) -> str:
    """Fold away case, blanks and Unicode's compatible forms: equal keys look like one artist."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
