"""Artists' names: tidying them, and telling which are the same artist or none."""

import unicodedata
from typing import Final

import pandas as pd

# As `fold_name` folds them.
_NOBODY: Final = frozenset((
    "anon", "na", "nan", "none", "null", "various", "variousartists",
    "anonyme", "anonym", "anonimo", "anoniem", "desconocido", "inconnu", "onbekend", "sconosciuto",
    "unbekannt", "неизвестныйхудожник", "佚名", "無名氏",
))  # fmt: skip
_UNNAMED: Final = ("anonymous", "unidentified", "unknown")


def tidy_artist_names(names: "pd.Series[str]") -> "pd.Series[str]":
    """Compose accents (NFC) and strip blanks, unless stripping would make one artist of two.

    The reference has `Evening` and `Evening `, two mistaken labels with one image each: as one
    artist they would no longer be too small to be used.
    """
    composed = names.map({name: unicodedata.normalize("NFC", name) for name in names.unique()})
    stripped = composed.str.strip()
    is_shared = composed.groupby(stripped).transform("nunique") > 1
    return stripped.where(~is_shared, composed)


def fold_name(name: str) -> str:
    """Fold a name so that all spellings of one artist are equal.

    Case, blanks, punctuation and Unicode's compatible forms are ignored, accents are not.
    "Monet, Claude" is "Claude Monet".
    """
    last, comma, first = name.partition(",")
    turned = f"{first} {last}" if comma and "," not in first else name
    composed = unicodedata.normalize("NFKC", turned).casefold()
    folded = unicodedata.normalize("NFKC", composed)
    return "".join(sign for sign in folded if unicodedata.category(sign)[0] not in "PZC") or name


def is_nobody(name: str) -> bool:
    """Return whether a name means that the artist is unknown: `Unknown`, `Anonymous`, `nan`."""
    folded = fold_name(name)
    return folded in _NOBODY or folded.startswith(_UNNAMED) or folded.endswith(_UNNAMED)
