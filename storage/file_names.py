"""Which names are allowed for files in a folder or a zip file."""

import re
import unicodedata
from typing import Final

LONGEST: Final = 255
"""Bytes of a file's name, without its folders, that the usual file systems can hold."""

_DRIVE_LETTER: Final = re.compile(r"[A-Za-z]:")


def file_name_fault(name: str) -> str | None:
    """Say why `name` is not allowed as a path in a folder; None if it is.

    Names come from other people's tables and become paths to read and zip members to write, so
    only plain relative POSIX paths pass, which mean the same on every system.
    """
    parts = name.split("/")
    if "://" in name:
        return "it is a web address; fetch the image and name its file"
    if "\0" in name:
        return "it holds a NUL character"
    if "\\" in name:
        return "it holds a backslash; write / between folders"
    if name.startswith("/") or _DRIVE_LETTER.match(name):
        return "it is absolute; give it relative to the folder"
    if ".." in parts:
        return "it leaves the folder through .."
    if "" in parts or "." in parts:
        return "it has an empty part, or one that is only a dot"
    if not is_unicode(name):
        return "it is not UTF-8; rename the file"
    if any(len(part.encode()) > LONGEST for part in parts):
        return f"it is longer than {LONGEST} bytes"
    return None


def caseless(name: str) -> str:
    """Return a name for comparison: whatever its case, and the form of its accents (NFC, NFD)."""
    return unicodedata.normalize("NFC", name).casefold()


def is_unicode(name: str) -> bool:
    """Return whether a file name is text, without undecodable bytes kept as surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
