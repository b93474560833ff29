"""Recipes as people write them: a preset, and the settings that differ from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from flows.assignments import parse_assignments
from flows.errors import SettingsError
from flows.settings import PresetName, Settings, preset_name, resolve


@dataclass(frozen=True, slots=True)
class NamedRecipe:
    """A preset with the settings that differ from it, and how it was written."""

    text: str
    preset: PresetName
    overrides: dict[str, JsonValue]
    settings: Settings


def read_recipe(text: str) -> NamedRecipe:
    """Read ``PRESET`` or ``PRESET:key=value,key=value``. Raises SettingsError for a mistake."""
    name, _, assignments = text.partition(":")
    overrides = parse_assignments(assignments.split(",") if assignments else ())
    return NamedRecipe(text, preset_name(name), overrides, resolve(name, overrides))


def read_recipes(texts: Sequence[str]) -> tuple[NamedRecipe, ...]:
    """Read recipes to compare. Raises SettingsError unless they are two different ones or more."""
    if len(set(texts)) < max(2, len(texts)):
        raise SettingsError("recipes: name two different ones or more to compare")
    return tuple(read_recipe(text) for text in texts)
