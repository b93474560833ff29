"""``--set key=value``: a number, true, false, null or a word."""

from collections.abc import Sequence

from pydantic import JsonValue

from flows.errors import SettingsError

WORDS: dict[str, JsonValue] = {"true": True, "false": False, "null": None}


def parse_assignments(assignments: Sequence[str] | None) -> dict[str, JsonValue]:
    """Read assignments. Raises SettingsError unless each is key=value and each key is new."""
    overrides: dict[str, JsonValue] = {}
    for assignment in assignments or ():
        key, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals or not key:
            raise SettingsError(f"--set {assignment}: write it as key=value")
        if key in overrides:
            raise SettingsError(f"{key}: is set twice")
        overrides[key] = _value(text)
    return overrides


def usual_preset(source: str) -> str:
    """Return the preset where none is named: best for real paintings, demo for the sample."""
    return "demo" if source == "sample" else "best"


def _value(text: str) -> JsonValue:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            pass
    return text
