"""``--set key=value``, read as YAML reads a value: 3, 0.5, null, true or a word."""

from collections.abc import Sequence

import yaml
from pydantic import JsonValue

from flows.errors import SettingsError
from flows.settings import PresetName, preset_name, resolve


def parse_assignments(assignments: Sequence[str] | None) -> dict[str, JsonValue]:
    """Read the assignments; raises SettingsError for one that is none, or given twice."""
    overrides: dict[str, JsonValue] = {}
    for assignment in assignments or ():
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"--set {assignment}: write it as key=value")
        if key.strip() in overrides:
            raise SettingsError(f"{key.strip()}: is set twice")
        overrides[key.strip()] = _value(text.strip())
    return overrides


def check_settings(preset: str, overrides: dict[str, JsonValue]) -> PresetName:
    """Refuse an unknown preset or a wrong setting before anything starts."""
    resolve(preset, overrides)
    return preset_name(preset)


def usual_preset(source: str) -> str:
    """The preset where none is named: what is best for real paintings, or the sample's own."""
    return "demo" if source == "sample" else "best"


def _value(text: str) -> JsonValue:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):
        # YAML 1.1 takes 1e-5, without a point, for a word.
        try:
            return float(value)
        except ValueError:
            return value
    return value if isinstance(value, int | float | bool) or value is None else text
