"""Recipes as people write them: a preset, and the settings that differ from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from flows.assignments import parse_assignments
from flows.errors import SettingsError
from flows.settings import PresetName, Settings, preset_name, resolve


@dataclass(frozen=True, slots=True)
class ChosenSettings:
    """A preset, the settings that differ from it, and the settings that follow from both."""

    preset: PresetName
    overrides: dict[str, JsonValue]
    settings: Settings


def choose_settings(preset: str, assignments: Sequence[str] | None) -> ChosenSettings:
    """Read a preset's name and ``key=value`` assignments. Raises SettingsError for a mistake."""
    overrides = parse_assignments(assignments)
    return ChosenSettings(preset_name(preset), overrides, resolve(preset, overrides))


def read_recipe(text: str) -> ChosenSettings:
    """Read ``PRESET`` or ``PRESET:key=value,key=value``. Raises SettingsError for a mistake."""
    preset, _, assignments = text.partition(":")
    return choose_settings(preset, assignments.split(",") if assignments else ())


def read_recipes(texts: Sequence[str]) -> tuple[ChosenSettings, ...]:
    """Read recipes to compare. Raises SettingsError unless they are two different ones or more."""
    if len(set(texts)) < max(2, len(texts)):
        raise SettingsError("recipes: name two different ones or more to compare")
    return tuple(read_recipe(text) for text in texts)
